//! The services of the demo's shop: what their manifests look like, and which versions of them exist and which of those are broken.
//!
//! Values and text only. What a version *does* is decided in [`super::workload`].

use std::collections::BTreeMap;

/// A service as the demo's world knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blueprint {
    /// Its name, which is also its directory under `apps/`.
    pub name: &'static str,
    /// Tags that it ran before, oldest first; at least one.
    pub earlier: &'static [&'static str],
    /// The tag that it runs when the demo begins.
    pub tag: &'static str,
    /// Newer tags that are in the registry.
    pub later: &'static [&'static str],
    /// Those of the tags whose code is broken: they answer every request with 500.
    pub broken: &'static [&'static str],
    /// How many replicas it runs.
    pub replicas: u32,
    /// Its configuration; the first value was another one in the past.
    pub settings: &'static [Setting],
}

/// One key of a service's ConfigMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What it was two weeks ago.
    pub was: &'static str,
    /// What it is when the demo begins.
    pub is: &'static str,
}

/// What the files of a service say at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifests {
    /// The service.
    pub name: &'static str,
    /// The image's tag.
    pub tag: &'static str,
    /// The number of replicas.
    pub replicas: u32,
    /// The container's memory limit.
    pub memory: &'static str,
    /// The ConfigMap.
    pub settings: BTreeMap<&'static str, &'static str>,
}

/// The shop that every story plays in. `checkout`, `search` and `catalog` are the ones that people break.
pub const SHOP: [Blueprint; 5] = [
    Blueprint {
        name: "checkout",
        earlier: &["1.3.2", "1.4.0", "1.4.1"],
        tag: "1.4.2",
        later: &["1.4.3", "1.5.0"],
        broken: &["1.5.0"],
        replicas: 3,
        settings: &[
            Setting { key: "CART_TTL", was: "12h", is: "24h" },
            Setting { key: "DB_POOL_SIZE", was: "20", is: "20" },
            Setting { key: "UPSTREAM_TIMEOUT", was: "2s", is: "2s" },
        ],
    },
    Blueprint {
        name: "payments",
        earlier: &["3.0.4", "3.1.0", "3.1.1"],
        tag: "3.2.0",
        later: &["3.2.1"],
        broken: &[],
        replicas: 3,
        settings: &[
            Setting { key: "UPSTREAM_TIMEOUT", was: "1s", is: "2s" },
            Setting { key: "DB_POOL_SIZE", was: "30", is: "30" },
            Setting { key: "LEDGER_BATCH", was: "50", is: "50" },
        ],
    },
    Blueprint {
        name: "search",
        earlier: &["0.9.7", "0.10.0", "0.10.1"],
        tag: "0.10.2",
        later: &["0.11.0"],
        broken: &[],
        replicas: 4,
        settings: &[Setting { key: "DB_POOL_SIZE", was: "16", is: "24" }, Setting { key: "UPSTREAM_TIMEOUT", was: "800ms", is: "800ms" }],
    },
    Blueprint {
        name: "catalog",
        earlier: &["2.6.3", "2.7.0", "2.7.1"],
        tag: "2.7.3",
        later: &["2.8.0"],
        broken: &[],
        replicas: 2,
        settings: &[
            Setting { key: "PAGE_SIZE", was: "50", is: "40" },
            Setting { key: "DB_POOL_SIZE", was: "12", is: "12" },
            Setting { key: "WARM_UP", was: "4s", is: "4s" },
        ],
    },
    Blueprint {
        name: "notifications",
        earlier: &["1.0.9", "1.1.0", "1.1.1"],
        tag: "1.2.0",
        later: &["1.2.1"],
        broken: &[],
        replicas: 2,
        settings: &[Setting { key: "RETRY_AFTER", was: "60s", is: "30s" }, Setting { key: "DB_POOL_SIZE", was: "8", is: "8" }],
    },
];

// === impl Blueprint ===

impl Blueprint {
    /// The path of one of its files: `apps/<name>/<file>`.
    pub fn path(&self, file: &str) -> String {
        format!("apps/{}/{file}", self.name)
    }

    /// Whether the registry has an image with this tag.
    pub fn is_published(&self, tag: &str) -> bool {
        self.tag == tag || self.earlier.contains(&tag) || self.later.contains(&tag)
    }

    /// What its files said two weeks before the demo.
    pub fn first_manifests(&self) -> Manifests {
        Manifests {
            name: self.name,
            tag: self.earlier.first().copied().unwrap_or(self.tag),
            replicas: self.replicas.saturating_sub(1).max(1),
            memory: "192Mi",
            settings: self.settings.iter().map(|setting| (setting.key, setting.was)).collect(),
        }
    }
}

// === impl Manifests ===

impl Manifests {
    /// Every file with its path, sorted by path.
    pub fn files(&self) -> Vec<(String, String)> {
        let path = |file: &str| format!("apps/{}/{file}", self.name);
        vec![
            (path("configmap.yaml"), self.config_map()),
            (path("deployment.yaml"), self.deployment()),
            (path("kustomization.yaml"), self.kustomization()),
            (path("service.yaml"), self.service()),
        ]
    }

    fn config_map(&self) -> String {
        let mut text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\ndata:\n", self.name);
        for (key, value) in &self.settings {
            text.push_str(&format!("  {key}: \"{value}\"\n"));
        }
        text
    }

    fn deployment(&self) -> String {
        let Self { name, tag, replicas, memory, .. } = self;
        format!(
            r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: {name}
          image: registry.shop.example/{name}:{tag}
          args: ["serve"]
          envFrom:
            - configMapRef:
                name: {name}
          ports:
            - containerPort: 8080
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              memory: {memory}
"#
        )
    }

    fn kustomization(&self) -> String {
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: shop\nresources:\n  - configmap.yaml\n  - deployment.yaml\n  - \
         service.yaml\n"
            .to_owned()
    }

    fn service(&self) -> String {
        let name = self.name;
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    app: {name}\n  ports:\n    - port: 80\n      \
             targetPort: 8080\n"
        )
    }
}
