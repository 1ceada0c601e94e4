//! The store's own thread: it commits whatever waits at once, and never a request's thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::counter::Counter;
use super::store::Store;
use super::{Period, Slot};
use crate::limits::calendar::Day;

/// Hands orders to the store's thread.
#[derive(Clone)]
pub struct Writer {
    orders: Sender<Order>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What the thread is asked to do. Orders are carried out in their order.
pub enum Order {
    /// Tell a counter where it stands.
    Load(Arc<Counter>),
    /// Write a higher mark, then tell the counter.
    Raise(Arc<Counter>, u64),
    /// Write a lower mark. Nobody waits for it: if it is lost, a crash costs more.
    Lower(Slot, u64),
    /// Remember that a day has begun, and forget what is older than these.
    Begin {
        /// The day.
        day: Day,
        /// The first day and month that are kept.
        kept: [Period; 2],
    },
    /// Close the file and end.
    Close,
}

impl Writer {
    /// Starts the thread.
    pub fn start(store: Store) -> Self {
        let (orders, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("limits".to_owned())
            .spawn(move || run(&store, &waiting))
            .inspect_err(|error| tracing::error!(%error, "no thread for the limits' store"))
            .ok();
        Self { orders, thread: Arc::new(Mutex::new(thread)) }
    }

    /// Hands over an order; false when the thread has ended.
    pub fn order(&self, order: Order) -> bool {
        self.orders.send(order).is_ok()
    }

    /// Waits until everything ordered so far is carried out and the file is closed.
    pub fn close(&self) {
        self.order(Order::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the limits' store ended badly");
        }
    }
}

fn run(store: &Store, waiting: &Receiver<Order>) {
    while let Ok(first) = waiting.recv() {
        let mut orders = vec![first];
        orders.extend(waiting.try_iter().take(BATCH_MAX));
        let end = orders.iter().position(|order| matches!(order, Order::Close));
        let late = end.map(|end| orders.split_off(end));
        let written = write(store, &orders);
        if let Err(error) = &written {
            tracing::error!(%error, "the limits' store does not write: limited requests are refused");
        }
        answer(store, orders, written.is_ok());
        if let Some(late) = late {
            late.into_iter().for_each(refuse);
            return;
        }
    }
}

/// One commit for all marks.
fn write(store: &Store, orders: &[Order]) -> Result<(), redb::Error> {
    if orders.iter().all(|order| matches!(order, Order::Load(_))) {
        return Ok(());
    }
    let batch = store.begin()?;
    for order in orders {
        match order {
            Order::Raise(counter, mark) => batch.set(counter.slot(), *mark)?,
            Order::Lower(slot, mark) => batch.set(*slot, *mark)?,
            Order::Begin { day, kept } => batch.begin_day(*day, *kept)?,
            Order::Load(_) | Order::Close => {}
        }
    }
    batch.commit()
}

/// After the commit, so that nothing is said that is not durable.
fn answer(store: &Store, orders: Vec<Order>, written: bool) {
    for order in orders {
        match order {
            Order::Raise(counter, mark) => counter.raised(written.then_some(mark)),
            Order::Load(counter) => {
                let mark = store.mark(counter.slot());
                if let Err(error) = &mark {
                    tracing::error!(%error, "the limits' store cannot be read");
                }
                counter.loaded(mark.ok());
            }
            Order::Lower(..) | Order::Begin { .. } | Order::Close => {}
        }
    }
}

/// Whoever waits for it is told that it will not be.
fn refuse(order: Order) {
    match order {
        Order::Raise(counter, _) => counter.raised(None),
        Order::Load(counter) => counter.loaded(None),
        Order::Lower(..) | Order::Begin { .. } | Order::Close => {}
    }
}

/// Orders in one commit.
const BATCH_MAX: usize = 4096;
