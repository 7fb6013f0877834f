//! A server of doors over a journal in memory, and a client for its real router.
#![allow(dead_code, reason = "each test uses its part")]
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use fleet_api::{App, Limits, Mode, router};
use fleet_journal::Memory;
use fleet_journal::memory::Disk;
use fleet_runtime::{Fleets, Options};
use fleet_types::directory::Command as Directory;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{Actor, Command, Envelope, FleetId, TenantId};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tower::ServiceExt;

pub struct Doors {
    pub app: App,
    pub fleets: Fleets,
    pub router: Router,
    /// What the journal is kept on.
    pub disk: Disk,
    /// The first admin key; none on an open server.
    pub admin: Option<String>,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// Status, code and field on one line.
    pub fn line(&self) -> String {
        let text = |name: &str| self.body[name].as_str().unwrap_or("").to_owned();
        format!(
            "{} {} {}",
            self.status.as_u16(),
            text("code"),
            text("field")
        )
        .trim()
        .to_owned()
    }
}

impl Doors {
    /// Open to whoever is on this machine.
    pub async fn open() -> Doors {
        let mode = Mode::open("127.0.0.1:1".parse().unwrap()).unwrap();
        Doors::start(mode, Limits::default()).await
    }

    /// With keys.
    pub async fn keys() -> Doors {
        Doors::start(Mode::keys(), Limits::default()).await
    }

    pub async fn start(mode: Mode, limits: Limits) -> Doors {
        Doors::start_with(mode, limits, Options::default()).await
    }

    pub async fn start_with(mode: Mode, limits: Limits, options: Options) -> Doors {
        let journal = Memory::default();
        let disk = journal.disk().clone();
        let fleets = Fleets::start(Box::new(journal), options).unwrap();
        let tenant = TenantId::parse("default").unwrap();
        let fleet = FleetId::parse("main").unwrap();
        direct(
            &fleets,
            Directory::CreateTenant {
                tenant: tenant.clone(),
            },
        )
        .await;
        direct(
            &fleets,
            Directory::CreateFleet {
                tenant: tenant.clone(),
                fleet: fleet.clone(),
            },
        )
        .await;
        let main = fleets.get(&tenant, &fleet).await.unwrap().unwrap();
        let settings = Settings {
            default_decision: DefaultDecision::Allow,
            auto_register: true,
            ..Settings::default()
        };
        let command = Command::Configure(Box::new(settings));
        main.call(Envelope {
            by: Actor::Local,
            command,
        })
        .await
        .unwrap()
        .unwrap();
        let mut admin = None;
        if !mode.is_open() {
            let fresh = fleet_api::auth::secret::generate().unwrap();
            let key =
                json!({"id": fresh.id, "tenant": "default", "role": "admin", "hash": fresh.hash});
            let key = serde_json::from_value(key).unwrap();
            direct(&fleets, Directory::IssueKey(Box::new(key))).await;
            admin = Some(fresh.token);
        }
        let app = App::start(fleets.clone(), mode, limits).await.unwrap();
        Doors {
            router: router(app.clone()),
            app,
            fleets,
            disk,
            admin,
        }
    }

    /// Sends as the admin, or as whoever sits here.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.send_as(self.admin.as_deref(), method, path, body)
            .await
    }

    pub async fn send_as(&self, key: Option<&str>, method: &str, path: &str, body: Value) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json");
        }
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.raw(request.body(Body::from(bytes)).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, body).await
    }

    pub async fn raw(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Issues a key and gives its token.
    pub async fn key(&self, body: Value) -> String {
        let issued = self.post("/v1/keys", body).await;
        assert_eq!(issued.status, 201, "{}", issued.body);
        issued.body["token"].as_str().unwrap().to_owned()
    }

    /// Listens on a real socket.
    pub async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn direct(fleets: &Fleets, command: Directory) {
    let command = Command::Directory(command);
    fleets
        .directory()
        .call(Envelope {
            by: Actor::System,
            command,
        })
        .await
        .unwrap()
        .unwrap();
}

/// A request that takes an account exclusively.
pub fn claim(agent: &str, account: &str) -> Value {
    json!({
        "agent": agent,
        "action": "payment.send",
        "resources": [{"path": format!("ledger/{account}"), "mode": "exclusive"}],
    })
}
