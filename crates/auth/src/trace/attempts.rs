//! From steps to attempts: which steps belong together. A client says who it is from its
//! registration on; before that, the same program at the same address is taken for the same client.

use jiff::{SignedDuration, Timestamp};

use super::{Fact, Step, StepOutcome, TraceEvent};

/// A step of the same client belongs to its last attempt for so long: a person may have to look for
/// their password meanwhile.
const SAME_CLIENT: SignedDuration = SignedDuration::from_mins(30);
/// A step that names no client belongs to the last attempt of the same program at the same address
/// for so long: the servers of a platform connect many teammates.
const SAME_PROGRAM: SignedDuration = SignedDuration::from_mins(5);

/// An attempt to connect: its steps, oldest first, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The steps.
    pub steps: Vec<TraceEvent>,
}

impl Attempt {
    /// The last that was said of something.
    #[must_use]
    pub fn fact(&self, fact: Fact) -> Option<&str> {
        self.steps.iter().rev().find_map(|event| event.facts.get(fact))
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.steps.first().map(|event| event.at)
    }

    /// Whether the client has called with its token.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.steps.iter().any(|event| event.step == Step::FirstCall && event.outcome == StepOutcome::Done)
    }

    /// The step at which it was refused, if that was the last one.
    #[must_use]
    pub fn refusal(&self) -> Option<&TraceEvent> {
        self.steps.last().filter(|event| event.outcome == StepOutcome::Refused)
    }

    /// How far it came: the furthest step that was taken.
    #[must_use]
    pub fn furthest(&self) -> Option<Step> {
        self.steps.iter().filter(|event| event.outcome == StepOutcome::Done).map(|event| event.step).max()
    }
}

/// Puts steps, oldest first, together to attempts, oldest first.
#[must_use]
pub fn attempts(events: Vec<TraceEvent>) -> Vec<Attempt> {
    let (mut over, mut open) = (Vec::new(), Vec::<Open>::new());
    for event in events {
        let (still, done): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|one| event.at.duration_since(one.last) < SAME_CLIENT);
        open = still;
        over.extend(done);
        place(&mut open, event);
    }
    over.extend(open);
    let mut attempts: Vec<_> = over.into_iter().map(|one| one.attempt).collect();
    // After a restart every client calls for the first time: by itself that is no attempt.
    attempts.retain(|attempt| attempt.steps.iter().any(|event| event.step != Step::FirstCall));
    attempts.sort_by_key(Attempt::started_at);
    attempts
}

/// An attempt that may go on.
struct Open {
    attempt: Attempt,
    client: Option<String>,
    programs: Vec<Program>,
    last: Timestamp,
}

#[derive(Clone, PartialEq, Eq)]
struct Program {
    address: String,
    user_agent: String,
}

impl Program {
    fn of(event: &TraceEvent) -> Option<Self> {
        let address = event.facts.get(Fact::Address)?.to_owned();
        Some(Self { address, user_agent: event.facts.get(Fact::UserAgent).unwrap_or_default().to_owned() })
    }
}

impl Open {
    /// Whether this is the next step of the same client, and not the first of a new attempt.
    fn goes_on_by_client(&self, event: &TraceEvent, client: &str) -> bool {
        self.client.as_deref() == Some(client) && !(self.attempt.is_connected() && event.step <= Step::Authorize)
    }

    fn goes_on_by_program(&self, event: &TraceEvent, program: &Program) -> bool {
        let begins_anew = event.step == Step::Challenge && self.attempt.furthest() > Some(Step::Metadata);
        self.programs.contains(program)
            && event.at.duration_since(self.last) < SAME_PROGRAM
            && !self.attempt.is_connected()
            && !begins_anew
    }

    fn add(&mut self, event: TraceEvent, client: Option<String>, program: Option<Program>) {
        self.last = event.at;
        self.client = self.client.take().or(client);
        self.programs.extend(program.filter(|program| !self.programs.contains(program)));
        self.attempt.steps.push(event);
    }

    /// Takes over the steps of an attempt that turns out to be the same.
    fn absorb(&mut self, other: Self) {
        self.attempt.steps.extend(other.attempt.steps);
        self.attempt.steps.sort_by_key(|event| event.at);
        self.programs.extend(other.programs);
        self.last = self.last.max(other.last);
    }
}

fn place(open: &mut Vec<Open>, event: TraceEvent) {
    let client = event.facts.get(Fact::ClientId).map(str::to_owned);
    let program = Program::of(&event);
    let by_client =
        client.as_deref().and_then(|client| open.iter().rposition(|one| one.goes_on_by_client(&event, client)));
    let fits = |one: &Open, program: &Program| {
        (client.is_none() || one.client.is_none()) && one.goes_on_by_program(&event, program)
    };
    let by_program = program.as_ref().and_then(|program| open.iter().rposition(|one| fits(one, program)));
    let at = match (by_client, by_program) {
        (Some(at), Some(before)) if at != before => {
            // What the client did before anybody knew its name.
            let other = open.remove(before);
            let at = if before < at { at - 1 } else { at };
            if let Some(one) = open.get_mut(at) {
                one.absorb(other);
            }
            Some(at)
        }
        (Some(at), _) | (None, Some(at)) => Some(at),
        (None, None) => None,
    };
    match at.and_then(|at| open.get_mut(at)) {
        Some(one) => one.add(event, client, program),
        None => {
            let programs = program.into_iter().collect();
            open.push(Open { last: event.at, client, programs, attempt: Attempt { steps: vec![event] } });
        }
    }
}
