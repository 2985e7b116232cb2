//! What signals do to a running agent: the end, and another configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;

use crate::binary::{Setting, World};
use crate::crash::wrap_git;

/// `revertd` names its own limit for a pass that hangs.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_cleanly_and_soon() {
    let world = World::new().await;
    world.configure(&Setting::of("merge"));
    for signal in ["TERM", "INT"] {
        let mut running = world.start();
        world.healthy_answers(3).await;
        let asked = Instant::now();
        running.signal(signal);
        assert_eq!(running.end().await.code(), Some(0), "{}", world.log());
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        assert!(world.log().trim_end().ends_with("revertd ends"), "{}", world.log());
        // What SQLite keeps beside a database that is open is gone.
        assert!(!world.file("state/journal.db-wal").exists());
        world.assert_intact();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_hangs_does_not_keep_it_from_ending() {
    let mut world = World::new().await;
    world.configure(&Setting::of("merge"));
    wrap_git(&mut world, "case \"$*\" in *ls-remote*) echo $$ > \"{folder}/hanging\"; exec sleep 120;; esac");
    let mut running = world.start();
    world.until("git hangs", || world.file("hanging").exists()).await;
    running.signal("TERM");
    assert_eq!(running.end().await.code(), Some(0), "{}", world.log());
    assert!(world.log().contains("in the middle of a pass"), "{}", world.log());
    let hanging = std::fs::read_to_string(world.file("hanging")).unwrap();
    let ended = std::process::Command::new("kill").arg(hanging.trim()).status().unwrap();
    assert!(ended.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_refused_and_a_good_one_swapped_in() {
    let world = World::new().await;
    world.configure(&Setting::of("observe"));
    let running = world.start();
    world.healthy_answers(3).await;
    let policy = std::fs::read_to_string(world.file("policy.yaml")).unwrap();
    let agent = std::fs::read_to_string(world.agent_file()).unwrap();
    let refusals = || world.log().matches("is refused and the old one stays in force").count();

    std::fs::write(world.file("policy.yaml"), policy.replace("mode: observe", "mode: marge")).unwrap();
    running.signal("HUP");
    world.until("a wrong policy is refused", || refusals() == 1).await;
    assert!(world.log().contains("marge") && world.log().contains("policy.yaml:14:"), "{}", world.log());
    std::fs::remove_file(world.file("policy.yaml")).unwrap();
    running.signal("HUP");
    world.until("a missing policy is refused", || refusals() == 2).await;
    std::fs::write(world.file("policy.yaml"), &policy).unwrap();
    std::fs::write(world.agent_file(), "apiVersion: [").unwrap();
    running.signal("HUP");
    world.until("a broken agent file is refused", || refusals() == 3).await;
    // The old configuration still measures.
    world.healthy_answers(2).await;

    std::fs::write(world.agent_file(), agent).unwrap();
    std::fs::write(world.file("policy.yaml"), policy.replace("mode: observe", "mode: merge")).unwrap();
    running.signal("HUP");
    world.until("the new configuration is in force", || world.log().contains("the new configuration is in force")).await;
    // With the old one, this would only be observed.
    world.break_service().await;
    world.assert_recovered().await;
}

/// A chat's webhook on this host, and how often it was told something.
async fn hook() -> (String, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let routes = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { StatusCode::OK }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, told)
}

/// A notifier of the same name that leads elsewhere now: what happens from then on is told there, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_is_changed_while_it_runs() {
    let world = World::new().await;
    let ((first, told_first), (second, told_second)) = (hook().await, hook().await);
    let agent = "  notifiers: [{name: oncall, webhook: {urlFile: first, secretFile: secret}}]\n".to_owned();
    world.configure(&Setting { agent, ..Setting::of("merge") });
    for (file, text) in [("first", &first), ("second", &second), ("secret", &"of both".to_owned())] {
        std::fs::write(world.file(file), format!("{text}\n")).unwrap();
    }
    let policy = std::fs::read_to_string(world.file("policy.yaml")).unwrap();
    std::fs::write(world.file("policy.yaml"), format!("{policy}  notify: [oncall]\n")).unwrap();
    let running = world.start();
    world.healthy_answers(3).await;
    let text = std::fs::read_to_string(world.agent_file()).unwrap();
    std::fs::write(world.agent_file(), text.replace("urlFile: first", "urlFile: second")).unwrap();
    running.signal("HUP");
    world.until("the new configuration is in force", || world.log().contains("the new configuration is in force")).await;
    world.break_service().await;
    world.assert_recovered().await;
    world.until("the merge and the recovery are told", || told_second.load(Ordering::Relaxed) == 2).await;
    assert_eq!(told_first.load(Ordering::Relaxed), 0, "{}", world.log());
}
