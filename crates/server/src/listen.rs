//! Accepting connections: bounded in number, in the time a request's head may take, and in how long nothing is read.
use crate::config::Bounds;
use crate::patience::Patient;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Serves until `stopping` becomes true, then waits for the requests in work for at most `grace`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    mut stopping: watch::Receiver<bool>,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(bounds.connections_max));
    let builder = builder(&bounds);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of files, mostly: taking a breath lets some close.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(room) = Arc::clone(&room).try_acquire_owned() else {
            // Closed at once: whoever is refused sees it, and nobody waits for a slow one.
            tracing::debug!("refused a connection: there are as many as may be");
            continue;
        };
        let connection = connect(&builder, stream, router.clone(), &bounds);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _room = room;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time and were cut");
    }
}

fn builder(bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(bounds.header_timeout_ms));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(256);
    builder
}

type Connection = hyper_util::server::conn::auto::UpgradeableConnection<
    'static,
    TokioIo<Patient<TcpStream>>,
    TowerToHyperService<Router>,
    TokioExecutor,
>;

fn connect(
    builder: &Builder<TokioExecutor>,
    stream: TcpStream,
    router: Router,
    bounds: &Bounds,
) -> Connection {
    // Answers are written whole; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let stream = Patient::new(
        stream,
        Duration::from_millis(bounds.write_timeout_ms.saturating_mul(3)),
    );
    builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router))
        .into_owned()
}
