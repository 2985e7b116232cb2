//! Two weeks in the life of a manifests repository, as a `git fast-import` stream.
//!
//! The history is made from the blueprints alone, so it ends exactly where they say, and the same `now` gives the same object ids.

use std::io::Write as _;
use std::time::Duration;

use crate::engine::change::Person;
use crate::engine::time::Timestamp;

use super::catalogue::{Blueprint, Manifests};

/// The people of the shop, and the bot that bumps images.
pub(super) const PEOPLE: [(&str, &str); 6] = [
    ("Mara Lind", "mara.lind@shop.example"),
    ("Tomas Okafor", "tomas.okafor@shop.example"),
    ("Yuki Brandt", "yuki.brandt@shop.example"),
    ("Priya Nair", "priya.nair@shop.example"),
    ("Jonas Weller", "jonas.weller@shop.example"),
    ("image-bot", "image-bot@shop.example"),
];
const DAYS: usize = 14;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The first pull request of the history.
const FIRST_PULL_REQUEST: usize = 214;

/// What happens to a service in the two weeks, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The next tag, committed straight to the branch.
    Bump,
    /// A higher memory limit.
    Memory,
    /// The first setting becomes what it is today.
    Setting,
    /// One replica more.
    Replicas,
    /// The tag of today, through a pull request with a merge commit.
    MergedBump,
}

const STEPS: [Step; 6] = [Step::Bump, Step::Memory, Step::Bump, Step::Setting, Step::Replicas, Step::MergedBump];

/// A person of the shop; any number is one.
pub fn person(number: usize) -> Person {
    let (name, email) = PEOPLE[number % PEOPLE.len()];
    Person { name: name.to_owned(), email: email.to_owned() }
}

/// The login on the forge of a person of the shop.
pub fn login(number: usize) -> String {
    let (_, email) = PEOPLE[number % PEOPLE.len()];
    email.split('@').next().unwrap_or_default().replace('.', "-")
}

/// The stream that makes the branch `main` for these services: an import and seven commits for each of them, one of those a merge.
///
/// The dates lie in the two weeks that end with the midnight (UTC) before `now`.
pub fn stream(blueprints: &[Blueprint], now: Timestamp) -> Vec<u8> {
    let mut writer = Writer::new(blueprints.len(), now);
    let mut services: Vec<Manifests> = blueprints.iter().map(Blueprint::first_manifests).collect();
    writer.import(&services);
    let mut plan: Vec<(usize, usize)> =
        (0..blueprints.len()).flat_map(|service| (0..STEPS.len()).map(move |step| (service, step))).collect();
    // Services take turns in no visible pattern, and each keeps the order of its own steps: 12 apart, moved by less than 11.
    plan.sort_by_key(|(service, step)| step * 12 + (service * 7 + step * 3) % 11);
    let mut last = None;
    for (service, step) in plan {
        let subject = take(STEPS[step], &blueprints[service], &mut services[service], step);
        let author = service * 2 + step * 3;
        let files = services[service].files();
        if STEPS[step] == Step::MergedBump {
            let base = if last.is_some_and(|last| last != service) { Base::BeforeLast } else { Base::Last };
            writer.pull_request(author, &subject, &services[service], &files, base);
        } else {
            writer.commit(author, &subject, &files);
        }
        last = Some(service);
    }
    writer.stream
}

/// Takes a step and says it in a commit's subject.
fn take(step: Step, blueprint: &Blueprint, service: &mut Manifests, number: usize) -> String {
    let name = blueprint.name;
    match step {
        Step::Bump => {
            let index = STEPS.iter().take(number + 1).filter(|step| **step == Step::Bump).count();
            service.tag = blueprint.earlier.get(index).copied().unwrap_or(blueprint.tag);
            format!("{name}: bump image to {}", service.tag)
        }
        Step::MergedBump => {
            service.tag = blueprint.tag;
            format!("{name}: bump image to {}", service.tag)
        }
        Step::Memory => {
            service.memory = "256Mi";
            format!("{name}: raise memory limit to {}", service.memory)
        }
        Step::Replicas => {
            service.replicas = blueprint.replicas;
            format!("{name}: run {} replicas", service.replicas)
        }
        Step::Setting => match blueprint.settings.first() {
            Some(setting) => {
                service.settings.insert(setting.key, setting.is);
                format!("{name}: {} {} -> {}", setting.key, setting.was, setting.is)
            }
            None => format!("{name}: no settings"),
        },
    }
}

/// What a pull request's branch was started from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// The newest commit of `main`.
    Last,
    /// The one before it, so that the merge is one of two lines.
    BeforeLast,
}

struct Writer {
    stream: Vec<u8>,
    mark: usize,
    main: usize,
    before_main: usize,
    commits: usize,
    expected: usize,
    start: Timestamp,
    pull_request: usize,
}

// === impl Writer ===

impl Writer {
    fn new(services: usize, now: Timestamp) -> Self {
        let midnight = Timestamp::from_secs(now.secs().div_euclid(DAY.as_secs().cast_signed()) * DAY.as_secs().cast_signed());
        Self {
            stream: Vec::new(),
            mark: 0,
            main: 0,
            before_main: 0,
            commits: 0,
            expected: services * (STEPS.len() + 1) + 1,
            start: midnight - DAY * u32::try_from(DAYS).unwrap_or(u32::MAX),
            pull_request: FIRST_PULL_REQUEST,
        }
    }

    /// Working hours of the day that this share of the history falls on; later commits of a day come later.
    fn next_date(&mut self) -> Timestamp {
        let day = self.commits * DAYS / self.expected;
        let first_of_day = (day * self.expected).div_ceil(DAYS);
        let minutes = 8 * 60 + (self.commits - first_of_day) * 140 + self.commits * 37 % 120;
        self.commits += 1;
        self.start + DAY * u32::try_from(day).unwrap_or(u32::MAX) + Duration::from_secs(minutes as u64 * 60)
    }

    fn import(&mut self, services: &[Manifests]) {
        let mut files: Vec<(String, String)> = services.iter().flat_map(Manifests::files).collect();
        files.push(("README.md".to_owned(), "# Manifests\n\nWhat runs in the shop's cluster. The sync tool applies `main`.\n".to_owned()));
        let resources: String = services.iter().map(|service| format!("  - ../../apps/{}\n", service.name)).collect();
        files.push((
            "clusters/shop/kustomization.yaml".to_owned(),
            format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{resources}"),
        ));
        self.commit(0, "Import the shop's manifests", &files);
    }

    fn commit(&mut self, author: usize, message: &str, files: &[(String, String)]) {
        let parents: Vec<usize> = (self.main > 0).then_some(self.main).into_iter().collect();
        let commit = self.write(author, message, files, &parents);
        (self.before_main, self.main) = (self.main, commit);
    }

    fn pull_request(&mut self, author: usize, subject: &str, service: &Manifests, files: &[(String, String)], base: Base) {
        let base = if base == Base::BeforeLast { self.before_main } else { self.main };
        let branch = self.write(author, subject, files, &[base]);
        let message = format!("Merge pull request #{} from shop/{}-{}\n\n{subject}", self.pull_request, service.name, service.tag);
        self.pull_request += 3;
        let merge = self.write(author + 1, &message, files, &[self.main, branch]);
        (self.before_main, self.main) = (self.main, merge);
    }

    /// Every commit names `main`, also those of a side line: the reference is written once, at the end, and no side branch stays behind.
    fn write(&mut self, author: usize, message: &str, files: &[(String, String)], parents: &[usize]) -> usize {
        self.mark += 1;
        let person = person(author);
        let signature = format!("{} <{}> {} +0000", person.name, person.email, self.next_date().secs());
        let mut text = format!("commit refs/heads/main\nmark :{}\nauthor {signature}\ncommitter {signature}\n", self.mark);
        text.push_str(&format!("data {}\n{message}\n", message.len() + 1));
        for (index, parent) in parents.iter().enumerate() {
            text.push_str(&format!("{} :{parent}\n", if index == 0 { "from" } else { "merge" }));
        }
        for (path, content) in files {
            text.push_str(&format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len()));
        }
        // Writing to a vector cannot fail.
        let _ = writeln!(self.stream, "{text}");
        self.mark
    }
}
