//! A small API for the tests of ports: fixed answers by address, and a record of what was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

/// What is answered to each path with its query, and what was asked with which authorization.
#[derive(Clone, Default)]
pub(crate) struct Api {
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    pub(crate) fn answer(&self, path: &str, status: u16, body: impl Into<String>) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    pub(crate) fn object(&self, path: &str, object: &Value) {
        self.answer(path, 200, object.to_string());
    }

    /// Each request: method, path with query, and authorization.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Serves until the test ends; gives the address.
    pub(crate) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(respond).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

async fn respond(State(api): State<Api>, request: Request) -> (StatusCode, String) {
    let path = request.uri().to_string();
    let authorization = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
    api.asked.lock().unwrap().push(format!("{} {path} {authorization}", request.method()));
    let (status, body) = api.answers.lock().unwrap().get(&path).cloned().unwrap_or((404, String::new()));
    (StatusCode::from_u16(status).unwrap(), body)
}
