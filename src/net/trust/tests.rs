//! Against the TLS server of the `openssl` command; certificates are made for each run.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::address::AddressRules;
use super::super::client::{Client, NoAnswer, Request};
use super::*;

/// Ends the server with the test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> Option<()> {
    let output = Command::new("openssl").args(arguments).current_dir(folder).stdin(Stdio::null()).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// A certificate that signs itself, for 127.0.0.1, as `<name>.pem` and `<name>.key`.
fn certificate(folder: &Path, name: &str) -> Option<()> {
    let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let names = "subjectAltName=IP:127.0.0.1";
    let key_kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let rest =
        ["-x509", "-days", "2", "-subj", &subject, "-addext", names, "-addext", "basicConstraints=CA:FALSE", "-keyout", &key, "-out", &pem];
    openssl(folder, &[&["req"], &key_kind[..], &rest[..]].concat())
}

/// A server that answers only a client that shows the certificate `client.pem`.
fn server(folder: &Path) -> Server {
    let mut process = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server.key", "-www"])
        .args(["-Verify", "1", "-verify_return_error", "-CAfile", "client.pem"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT ")?.parse().ok());
    Server { process, address: address.expect("the server says where it listens") }
}

fn pem(folder: &Path, names: &[&str]) -> String {
    names.iter().map(|name| std::fs::read_to_string(folder.join(name)).unwrap()).collect()
}

async fn ask(trust: &Trust, server: &Server) -> Result<u16, NoAnswer> {
    let client = Client::with_trust(AddressRules::for_operator(), trust).unwrap();
    client.send(&Request::get(format!("https://{}/", server.address), Duration::from_secs(20))).await.map(|answer| answer.status)
}

#[tokio::test]
async fn only_the_authorities_that_were_given_are_trusted_and_our_certificate_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if certificate(folder, "server").is_none() {
        assert!(std::env::var_os("REVERTD_REQUIRE_SERVERS").is_none_or(|value| value != "1"), "openssl is not installed");
        eprintln!("skipped: openssl is not installed");
        return;
    }
    certificate(folder, "client").unwrap();
    certificate(folder, "stranger").unwrap();
    let server = server(folder);
    let identity = |name: &str| Secret::new(pem(folder, &[&format!("{name}.key"), &format!("{name}.pem")]));
    let trusting = |authority: &str| Trust::default().with_authorities(pem(folder, &[authority]).into_bytes());

    assert_eq!(ask(&trusting("server.pem").with_identity(identity("client")), &server).await, Ok(200));
    let stranger = ask(&trusting("stranger.pem").with_identity(identity("client")), &server).await;
    assert!(matches!(stranger, Err(NoAnswer::Tls { .. })), "{stranger:?}");
    // Without a certificate, or with one that the server does not know, there is no answer.
    assert!(ask(&trusting("server.pem"), &server).await.is_err());
    assert!(ask(&trusting("server.pem").with_identity(identity("stranger")), &server).await.is_err());
}

#[test]
fn what_is_no_certificate_gets_a_sentence_without_its_content() {
    let refused = |trust: &Trust| Client::with_trust(AddressRules::for_operator(), trust).map(|_| ()).unwrap_err().to_string();
    let broken = "-----BEGIN CERTIFICATE-----\ncanary-7f3a\n-----END CERTIFICATE-----\n";
    for content in ["", "canary-7f3a", broken] {
        let said = [
            refused(&Trust::default().with_authorities(content.into())),
            refused(&Trust::default().with_identity(Secret::new(content))),
            format!("{:?}", Trust::default().with_authorities(content.into()).with_identity(Secret::new(content))),
        ];
        for said in said {
            assert!(!said.contains("canary"), "{said}");
        }
    }
    let words = refused(&Trust::default().with_authorities(Vec::new()));
    assert_eq!(words, "cannot set up the HTTP client: the certificate authorities hold no PEM certificate");
}
