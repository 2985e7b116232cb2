//! The story over a real sshd with a key and a file of known hosts.

use std::path::Path;
use std::process::Command;

use crate::binary::{Setting, World};
use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

fn make_key(keygen: &Path, file: &Path) {
    let made = Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Who runs the test.
fn user() -> String {
    String::from_utf8_lossy(&Command::new("id").arg("-un").output().unwrap().stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_over_ssh_with_a_key() {
    let Some((sshd, keygen)) = find_program("sshd").zip(find_program("ssh-keygen")) else {
        skip_or_fail("sshd");
        return;
    };
    let world = World::new().await;
    let (user, port) = (user(), free_port());
    if user == "root" {
        // sshd wants its folder of privilege separation.
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let (host_key, key) = (world.file("host_key"), world.file("key"));
    make_key(&keygen, &host_key);
    make_key(&keygen, &key);
    std::fs::copy(world.file("key.pub"), world.file("authorized_keys")).unwrap();
    let public = std::fs::read_to_string(world.file("host_key.pub")).unwrap();
    std::fs::write(world.file("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let configuration = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nPermitRootLogin prohibit-password\nSetEnv PATH={path}\n",
        host_key.display(),
        world.file("authorized_keys").display()
    );
    std::fs::write(world.file("sshd_config"), configuration).unwrap();
    let mut command = Command::new(sshd);
    command.arg("-D").arg("-f").arg(world.file("sshd_config")).arg("-E").arg(world.file("sshd.log"));
    let _server = ChildGuard::start(&mut command);
    eventually("sshd listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;

    let mut setting = Setting::of("merge");
    setting.url = Some(format!("ssh://{user}@127.0.0.1:{port}{}", world.bare().display()));
    setting.credentials = Some("{sshKeyFile: key, knownHostsFile: known_hosts}".to_owned());
    world.configure(&setting);
    let _running = world.start();
    world.break_service().await;
    world.assert_recovered().await;
}
