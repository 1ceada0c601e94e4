//! Carrying out an order.

use std::net::SocketAddr;

use sealgate_audit as audit;
use serde_json::{Value, json};

use crate::app::App;
use crate::emergency::{EmergencyError, Order};
use crate::record;
use crate::refusal::Refusal;
use crate::routes::Authenticated;
use crate::worker::Supervisor;

/// Records the order, then has it hold from now on.
///
/// # Errors
/// [`Refusal`].
pub(super) async fn carry_out(
    app: &App,
    caller: &Authenticated,
    order: Order,
) -> Result<Value, Refusal> {
    let written = app.journal.append(&audit::Event::AdminOrder(audit::AdminOrder {
        about: order.about(app.journal.names()).into(),
        order: order.as_str().into(),
        request_id: caller.id.as_str().into(),
    }));
    record::durable(caller, written).await?;
    let workers = match &order {
        Order::RotateKeys { model } => each(app, model.as_deref(), ANY, Supervisor::rotate_keys),
        Order::EndWorkers { model, pid, address } => {
            each(app, model.as_deref(), (*pid, *address), Supervisor::end_worker)
        }
        _ => 0,
    };
    let emergency = app.emergency.clone();
    let now_s = caller.now_s;
    let told = json!({"order": order.as_str(), "workers": workers});
    let taken = tokio::task::spawn_blocking(move || emergency.take(&order, now_s)).await;
    match taken {
        Ok(Ok(())) => Ok(told),
        // It holds all the same.
        Ok(Err(error @ EmergencyError::NotKept { .. })) => {
            tracing::error!(%error, "an order holds, but would not over a restart");
            Err(Refusal::OrderNotKept)
        }
        Ok(Err(_)) => Err(Refusal::TooManyOrders),
        Err(_) => Err(Refusal::Internal),
    }
}

/// Has the workers of `model`, or of all, do something; returns how many did.
fn each(app: &App, model: Option<&str>, named: Named, act: impl Fn(&Supervisor)) -> usize {
    let workers = app.models.supervisors(model);
    workers.iter().filter(|worker| is_named(worker, named)).map(|worker| act(worker)).count()
}

/// Which workers are meant: by process id, by address.
type Named = (Option<u32>, Option<SocketAddr>);
const ANY: Named = (None, None);

fn is_named(worker: &Supervisor, (pid, address): Named) -> bool {
    let identity = worker.identity();
    pid.is_none_or(|pid| identity.is_some_and(|own| own.pid == Some(pid)))
        && address.is_none_or(|address| identity.is_some_and(|own| own.address == Some(address)))
}
