//! Whether a caller may do something with the gateway itself, on the record before it is done.

use axum::body::Body;
use axum::http::Response;
use sealgate_policies::{GatewayAction, GatewayAsk, GatewayDecision};

use crate::app::App;
use crate::record::{self, Refused, Subject};
use crate::refusal::Refusal;
use crate::routes::Authenticated;

/// Returns once the decision's record is durable.
///
/// # Errors
/// The refusal, as it goes to the client.
pub async fn admit(
    app: &App,
    caller: &Authenticated,
    action: GatewayAction,
) -> Result<(), Response<Body>> {
    let ask = GatewayAsk { action, address: caller.address.0, now_s: caller.now_s };
    let subject = Subject { action: action.as_str(), ..Subject::nothing() };
    match caller.verified.decide_gateway(&caller.policy.set, &ask) {
        GatewayDecision::Allowed(permit) => {
            let rules = record::rule_ids(permit.rules());
            let recorded = record::allowed_gateway(app, caller, &subject, rules).await;
            recorded.map_err(|refusal| app.receipts.refuse(refusal, caller))
        }
        GatewayDecision::Denied(denial) => {
            let refused = Refused {
                told: Refusal::Forbidden,
                code: denial.code().into(),
                rules: record::rule_ids(denial.rules()),
            };
            Err(record::deny(app, caller, &subject, &refused).await)
        }
    }
}
