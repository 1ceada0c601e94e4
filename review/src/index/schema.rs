//! The tables. A change here raises [`VERSION`], and every index made before is made anew.
//!
//! Strings stand once, in `texts`; everything else holds their numbers. Callers and sets of rules
//! are many columns of a row that seldom differ, so they are numbered, too. Times are microseconds
//! of Unix time, `n` is a record's running number in the log, `file` and `at` are where it begins.

use rusqlite::Connection;

/// The version of the tables, in `PRAGMA user_version`.
pub(super) const VERSION: i64 = 3;
/// `PRAGMA application_id`: an index of ours and nobody else's file.
pub(super) const APPLICATION: i64 = 0x5347_5849;

/// Makes all tables anew, within the transaction that `connection` is in.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}

/// What questions need beside the tables. Made once the first records are in: filling an index
/// that is there costs several times as much.
pub(super) fn create_lookups(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(LOOKUPS)
}

/// What the join of an outcome with its decision needs.
pub(super) const REQUEST_LOOKUP: &str =
    "CREATE INDEX IF NOT EXISTS requests_by_id ON requests (request_id);";

const TABLES: &str = "
DROP TABLE IF EXISTS state;
DROP TABLE IF EXISTS texts;
DROP TABLE IF EXISTS callers;
DROP TABLE IF EXISTS rule_sets;
DROP TABLE IF EXISTS rule_members;
DROP TABLE IF EXISTS requests;
DROP TABLE IF EXISTS events;
DROP TABLE IF EXISTS refusals;
DROP TABLE IF EXISTS policy_versions;
DROP TABLE IF EXISTS hours;
DROP TABLE IF EXISTS by_hour;
DROP TABLE IF EXISTS by_day;
DROP TABLE IF EXISTS used;

-- Which log this is of, and the last record it holds.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    first_leaf BLOB NOT NULL, origin TEXT NOT NULL, key TEXT NOT NULL,
    n INTEGER NOT NULL, file TEXT NOT NULL, at INTEGER NOT NULL, leaf BLOB NOT NULL
);
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE callers (
    id INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL, subject INTEGER NOT NULL, client INTEGER, tenant INTEGER NOT NULL,
    UNIQUE (issuer, subject, client, tenant)
);
-- `words` is the JSON array of the ids; the rows of `rule_members` are the ids one by one.
CREATE TABLE rule_sets (id INTEGER PRIMARY KEY, words TEXT NOT NULL UNIQUE);
CREATE TABLE rule_members (
    rule INTEGER NOT NULL, rules INTEGER NOT NULL, PRIMARY KEY (rule, rules)
) WITHOUT ROWID;

-- A request: its decision, and its outcome once there is one. `code` is the outcome's then.
-- `verdict` is 1 for allowed, `mode` 1 for client-sealed. `charge`, in 10^-12 of the currency, is what
-- was reserved until the outcome says what it was; `model_digest` is that of the version that was to
-- answer until the outcome says which one did.
CREATE TABLE requests (
    n INTEGER PRIMARY KEY, file INTEGER NOT NULL, at INTEGER NOT NULL,
    time_us INTEGER NOT NULL, request_id NOT NULL,
    caller INTEGER NOT NULL, address INTEGER NOT NULL,
    action INTEGER NOT NULL, model INTEGER NOT NULL, version INTEGER,
    mode INTEGER NOT NULL, protocol INTEGER NOT NULL,
    verdict INTEGER NOT NULL, code INTEGER NOT NULL, rules INTEGER NOT NULL,
    policy INTEGER NOT NULL, limit_profile INTEGER NOT NULL, release_profile INTEGER NOT NULL,
    rows_reserved INTEGER NOT NULL,
    outcome_n INTEGER, outcome_file INTEGER, outcome_at INTEGER,
    status INTEGER, rows INTEGER, total_us INTEGER, model_digest INTEGER,
    charge INTEGER
);
-- Everything that is neither of a request nor a count; what it says stands in the log.
CREATE TABLE events (
    n INTEGER PRIMARY KEY, file INTEGER NOT NULL, at INTEGER NOT NULL,
    time_us INTEGER NOT NULL, kind INTEGER NOT NULL, request_id
);
-- Requests refused before anyone was authenticated, counted.
CREATE TABLE refusals (
    n INTEGER PRIMARY KEY, second INTEGER NOT NULL, reason INTEGER NOT NULL, count INTEGER NOT NULL
);
-- From which record on which policies were in force.
CREATE TABLE policy_versions (
    n INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, policy INTEGER NOT NULL, why INTEGER NOT NULL
);

-- Which records an hour holds: clocks step back, so the order of time is not that of the log.
CREATE TABLE hours (hour INTEGER PRIMARY KEY, first_n INTEGER NOT NULL, last_n INTEGER NOT NULL);
-- How much there was, so that an overview need not look at each request.
CREATE TABLE by_hour (
    hour INTEGER NOT NULL, tenant INTEGER NOT NULL, model INTEGER NOT NULL,
    action INTEGER NOT NULL, mode INTEGER NOT NULL,
    verdict INTEGER NOT NULL, code INTEGER NOT NULL, rules INTEGER NOT NULL,
    requests INTEGER NOT NULL, rows INTEGER NOT NULL,
    timed INTEGER NOT NULL, total_us INTEGER NOT NULL,
    PRIMARY KEY (hour, tenant, model, action, mode, verdict, code, rules)
) WITHOUT ROWID;
CREATE TABLE by_day (
    day INTEGER NOT NULL, caller INTEGER NOT NULL, model INTEGER NOT NULL,
    action INTEGER NOT NULL, mode INTEGER NOT NULL,
    verdict INTEGER NOT NULL, code INTEGER NOT NULL, rules INTEGER NOT NULL,
    requests INTEGER NOT NULL, rows INTEGER NOT NULL,
    timed INTEGER NOT NULL, total_us INTEGER NOT NULL,
    PRIMARY KEY (day, caller, model, action, mode, verdict, code, rules)
) WITHOUT ROWID;
-- What was used and charged. Money is a sum of 10^-6 and one of 10^-12 of the currency, for in
-- 10^-12 alone a large one would not fit.
CREATE TABLE used (
    hour INTEGER NOT NULL, caller INTEGER NOT NULL, model INTEGER NOT NULL,
    requests INTEGER NOT NULL, rows INTEGER NOT NULL,
    busy_us INTEGER NOT NULL, mb_us INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
    micros INTEGER NOT NULL, picos INTEGER NOT NULL,
    PRIMARY KEY (hour, caller, model)
) WITHOUT ROWID;
";

const LOOKUPS: &str = "
CREATE INDEX IF NOT EXISTS requests_by_id ON requests (request_id);
CREATE INDEX IF NOT EXISTS requests_by_caller ON requests (caller);
CREATE INDEX IF NOT EXISTS requests_by_code ON requests (code);
CREATE INDEX IF NOT EXISTS events_by_request ON events (request_id) WHERE request_id IS NOT NULL;
";
