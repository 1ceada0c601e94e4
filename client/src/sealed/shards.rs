//! Many rows, cut among several workers: each opens its own shard and never sees another's.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::message::Question;
use super::{SealedAnswer, SealedClient, VerifiedKeys};
use crate::ClientError;
use crate::gateway::segment;

use super::client::Asked;

/// The most shards of one batch.
pub const SHARDS_MAX: usize = 16;

/// Rows that one worker is to score.
pub struct Shard {
    /// A body of the Open Inference Protocol V2 in JSON.
    pub body: Vec<u8>,
    /// How many rows it has; they are announced to the gateway, which counts each shard's.
    pub rows: u32,
}

impl SealedClient {
    /// Keys of up to `wanted` different workers that run `model`, each judged, fetched now. Workers
    /// are told apart by the keys of their receipts, which are a worker's own for its life.
    ///
    /// The gateway shows one worker at a time, whichever it likes: it is asked a few times more than
    /// there are workers wanted, and one that does not come up is not found.
    ///
    /// # Errors
    ///
    /// As [`SealedClient::keys`].
    pub async fn replicas(
        &self,
        model: &str,
        wanted: usize,
    ) -> Result<Vec<Arc<VerifiedKeys>>, ClientError> {
        let wanted = wanted.min(SHARDS_MAX);
        let mut found: Vec<Arc<VerifiedKeys>> = Vec::with_capacity(wanted);
        for _ in 0..wanted * ASKED_A_REPLICA {
            if found.len() == wanted {
                break;
            }
            let keys = self.fetch(model).await?;
            if found.iter().all(|other| other.receipt_key() != keys.receipt_key()) {
                found.push(Arc::new(keys));
            }
        }
        Ok(found)
    }

    /// Seals each shard to another worker, sends all at once, and checks every answer and every
    /// receipt as [`SealedClient::infer_v2`] does. Answers come in the order of the shards.
    ///
    /// A shard that its worker's keys do not open is not sealed to another: it may be the one that
    /// has opened a shard already.
    ///
    /// # Errors
    ///
    /// [`ClientError::Replicas`] when there are fewer `replicas` than shards, or the same one twice:
    /// nothing is sent then. Otherwise the first that failed, as [`SealedClient::infer_v2`]; the
    /// other shards may have been answered.
    pub async fn infer_v2_sharded(
        &self,
        model: &str,
        shards: Vec<Shard>,
        replicas: &[Arc<VerifiedKeys>],
    ) -> Result<Vec<SealedAnswer>, ClientError> {
        let distinct = |(index, keys): &(usize, &Arc<VerifiedKeys>)| {
            let before = replicas.get(..*index).unwrap_or_default();
            before.iter().all(|other| other.receipt_key() != keys.receipt_key())
        };
        let found = replicas.iter().enumerate().filter(distinct).count();
        let wanted = shards.len();
        if found < wanted || found < replicas.len() {
            return Err(ClientError::Replicas { model: model.to_owned(), wanted, found });
        }
        let path = format!("/v2/models/{}/infer", segment(model)?);
        let asked = shards.into_iter().zip(replicas).map(|(shard, keys)| {
            let path = path.as_str();
            let ask = async move {
                let mut question = Question::v2(path, shard.body.into(), self.demands());
                match self.ask(path, &mut question, keys, Some(shard.rows)).await? {
                    Asked::Answered(answer) => Ok(*answer),
                    Asked::NotOpened(refusal) => Err(ClientError::KeysSpent(refusal)),
                }
            };
            Box::pin(ask) as Asking<'_>
        });
        all(asked.collect()).await.into_iter().collect()
    }
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<SealedAnswer, ClientError>> + Send + 'a>>;

/// What all of them give, once the last one has.
async fn all(mut asked: Vec<Asking<'_>>) -> Vec<Result<SealedAnswer, ClientError>> {
    let mut answers: Vec<_> = asked.iter().map(|_| None).collect();
    poll_fn(move |context| {
        for (asked, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(now) = asked.as_mut().poll(context)
            {
                *answer = Some(now);
            }
        }
        match answers.iter().all(Option::is_some) {
            true => Poll::Ready(answers.iter_mut().filter_map(Option::take).collect()),
            false => Poll::Pending,
        }
    })
    .await
}

/// With as many workers as are wanted and each shown as often as any other, one in ten thousand
/// searches for four misses one.
const ASKED_A_REPLICA: usize = 10;
