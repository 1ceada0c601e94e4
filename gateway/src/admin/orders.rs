//! Carrying out an order.

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
        Order::RotateKeys { model } => each(app, model.as_deref(), None, Supervisor::rotate_keys),
        Order::EndWorkers { model, pid } => {
            each(app, model.as_deref(), *pid, Supervisor::end_worker)
        }
        _ => 0,
    };
    let emergency = app.emergency.clone();
    let now_s = caller.now_s;
    let told = json!({"order": order.as_str(), "workers": workers});
    let taken = tokio::task::spawn_blocking(move || emergency.take(&order, now_s)).await;
    // Also when it could not be kept: it holds.
    each(app, None, None, Supervisor::end_if_revoked);
    match taken {
        Ok(Ok(())) => Ok(told),
        Ok(Err(error @ EmergencyError::NotKept { .. })) => {
            tracing::error!(%error, "an order holds, but would not over a restart");
            Err(Refusal::OrderNotKept)
        }
        Ok(Err(_)) => Err(Refusal::TooManyOrders),
        Err(_) => Err(Refusal::Internal),
    }
}

/// Has the workers of `model`, or of all, do something; returns how many did.
fn each(app: &App, model: Option<&str>, pid: Option<u32>, act: impl Fn(&Supervisor)) -> usize {
    let workers = app.models.supervisors(model);
    let workers = workers.iter().filter(|worker| pid.is_none_or(|pid| worker.pid() == Some(pid)));
    workers.map(|worker| act(worker)).count()
}
