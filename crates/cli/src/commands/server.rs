//! What `dev` and `serve` share: start, say where, wait for the end, stop in order.
use crate::failure::{Failure, Outcome};
use crate::stop::Stop;
use crate::{exit, output};
use fleet_server::{Config, Running};

/// Serves until SIGINT, SIGTERM or a failure that only a new start mends; with its parent, also until standard input
/// ends.
pub async fn serve(
    config: Config,
    with_parent: bool,
    greet: impl FnOnce(&Running) -> Outcome,
) -> Outcome {
    fleet_server::logging::start(&config);
    // Before the server stands, so that no signal is lost.
    let mut stop = Stop::listen()?;
    let running = fleet_server::start(config).await?;
    // One line on standard output, for scripts that wait for it.
    output::write(&format!("http://{}\n", running.addr))?;
    greet(&running)?;
    let orphaned = async {
        if with_parent {
            input_ends().await;
        } else {
            std::future::pending().await
        }
    };
    let failure = tokio::select! {
        () = orphaned => None,
        _ = stop.asked() => None,
        failure = running.failed() => Some(failure),
    };
    tokio::select! {
        () = running.stop() => {}
        _ = stop.asked() => return Err(Failure::new(exit::FAILED, "stopped abruptly; what was acknowledged is durable")),
    }
    match failure {
        None => Ok(()),
        Some(failure) => Err(failure.into()),
    }
}

async fn input_ends() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own: a runtime would wait for this reading when it ends, a process does not.
    std::thread::spawn(move || {
        // It ends, or breaks: the parent is gone either way.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
}
