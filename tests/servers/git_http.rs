//! The story over Git's own HTTP backend behind a real lighttpd with basic authentication.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::binary::{Setting, World, git, hermetic};
use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

const TOKEN: &str = "ghs-4b1f7c09e2d84a63";

/// The repository behind a server, and the agent configured with a token.
async fn served(token: &str) -> Option<(World, ChildGuard)> {
    let Some(lighttpd) = find_program("lighttpd") else {
        skip_or_fail("lighttpd");
        return None;
    };
    let world = World::new().await;
    git(&world.bare(), &["config", "http.receivepack", "true"]);
    let root = world.file("");
    let printed = hermetic(&root).arg("--exec-path").output().unwrap();
    let backend = Path::new(String::from_utf8_lossy(&printed.stdout).trim()).join("git-http-backend");
    let (users, port) = (world.file("users"), free_port());
    std::fs::write(&users, format!("x-access-token:{TOKEN}\n")).unwrap();
    let configuration = format!(
        r#"server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
alias.url = ("/git" => "{backend}")
cgi.assign = ("" => "")
setenv.set-environment = ("GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1", "GIT_CONFIG_NOSYSTEM" => "1", "GIT_CONFIG_GLOBAL" => "/dev/null")
auth.backend = "plain"
auth.backend.plain.userfile = "{users}"
auth.require = ("/git" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
"#,
        root = root.display(),
        backend = backend.display(),
        users = users.display(),
    );
    let file = world.file("lighttpd.conf");
    std::fs::write(&file, configuration).unwrap();
    let server = ChildGuard::start(Command::new(lighttpd).arg("-D").arg("-f").arg(&file));
    eventually("lighttpd listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;

    let password_file = world.file("token");
    std::fs::write(&password_file, format!("{token}\n")).unwrap();
    let mut setting = Setting::of("merge");
    setting.url = Some(format!("http://127.0.0.1:{port}/git/m.git"));
    setting.credentials = Some("{username: x-access-token, passwordFile: token}".to_owned());
    world.configure(&setting);
    Some((world, server))
}

/// No file that the agent wrote holds the text.
fn assert_nowhere(folder: &Path, text: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path, text);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{} holds the token", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_over_http_with_a_token() {
    let Some((world, _server)) = served(TOKEN).await else { return };
    let running = world.start();
    world.break_service().await;
    world.assert_recovered().await;
    drop(running);
    // The journal with all its files, and the mirror with its configuration.
    assert_nowhere(&world.file("state"), TOKEN);
    assert!(!world.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_and_nothing_is_reverted() {
    let wrong = "ghs-wrong-0d9a7755";
    let Some((world, _server)) = served(wrong).await else { return };
    let mut running = world.start();
    world.break_service().await;
    world.until("the log says what is wrong", || world.log().contains("Authentication failed")).await;
    let proven = tokio::time::timeout(Duration::from_secs(3), eventually("a revert", async || (world.reverts() > 0).then_some(()))).await;
    assert!(proven.is_err());
    assert!(!running.has_ended());
    assert!(!world.log().contains(wrong));
    assert_nowhere(&world.file("state"), wrong);
}

/// Every hook that Git knows on the side that fetches and pushes, and some of the other side.
const HOOKS: [&str; 8] =
    ["pre-push", "reference-transaction", "post-index-change", "pre-auto-gc", "post-rewrite", "pre-receive", "update", "post-update"];

/// The user's hooks are run for the user's own pushes, and their credential store is theirs: it gives us nothing and gets nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_users_hooks_and_credential_store_are_left_alone() {
    let Some((mut world, _server)) = served(TOKEN).await else { return };
    let hooks = world.file("hooks");
    std::fs::create_dir(&hooks).unwrap();
    let ran = world.file("a-hook-ran");
    for hook in HOOKS {
        let file = hooks.join(hook);
        std::fs::write(&file, format!("#!/bin/sh\necho {hook} >>'{}'\nexit 1\n", ran.display())).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let agent = std::fs::read_to_string(world.file("agent.yaml")).unwrap();
    let url = agent.lines().find_map(|line| line.trim().strip_prefix("url: ")).unwrap().trim_matches('"').to_owned();
    let origin = url.strip_suffix("/git/m.git").unwrap().to_owned();
    // A stored password that is wrong: were it used, Git would fail, and would have the store forget it.
    let stored = format!("{}\n", origin.replacen("://", "://somebody:wrong@", 1));
    std::fs::write(world.file(".git-credentials"), &stored).unwrap();
    // Once for all hosts and once for this very host, which is the more specific one.
    let configuration = format!(
        "[core]\n\thooksPath = {hooks}\n[credential]\n\thelper = store\n[credential \"{origin}\"]\n\thelper = store --file={other}\n",
        hooks = hooks.display(),
        other = world.file("more-credentials").display()
    );
    std::fs::write(world.file(".gitconfig"), configuration).unwrap();
    world.with_user_configuration();
    let running = world.start();
    world.break_service().await;
    world.assert_recovered().await;
    drop(running);
    assert!(!ran.exists(), "hooks ran: {}", std::fs::read_to_string(&ran).unwrap_or_default());
    assert_eq!(std::fs::read_to_string(world.file(".git-credentials")).unwrap(), stored);
    assert!(!world.file("more-credentials").exists());
    assert_nowhere(&world.file("state"), TOKEN);
}
