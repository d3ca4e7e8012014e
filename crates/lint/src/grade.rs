//! Grades from A to F, by points.
//!
//! A tool begins with 100 points. A warning takes 12, a note 4; of one rule at most three findings count,
//! so that twenty parameters without a description do not drown all else. An error is an F whatever the
//! points say.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::Serialize;

use crate::{Finding, Severity};

/// What a warning costs.
pub const WARNING: u32 = 12;
/// What a note costs.
pub const NOTE: u32 = 4;
/// How many findings of one rule count.
pub const COUNTED: u32 = 3;

/// How good a tool is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Grade {
    /// Fewer than 40 points, or an error: a model API refuses it, or it is not safe to offer.
    F,
    /// From 40 points.
    D,
    /// From 60 points.
    C,
    /// From 75 points.
    B,
    /// From 90 points.
    A,
}

/// Text that is no grade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no grade. Write one of A, B, C, D, F.")]
pub struct NotAGrade(String);

impl Grade {
    /// All of them, the best first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::F];

    /// The fewest points that earn it.
    #[must_use]
    pub const fn from_points(self) -> u32 {
        match self {
            Self::A => 90,
            Self::B => 75,
            Self::C => 60,
            Self::D => 40,
            Self::F => 0,
        }
    }

    /// The letter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::F => "F",
        }
    }

    /// The grade of a tool with these findings, and its points.
    #[must_use]
    pub fn of(findings: &[Finding]) -> (Self, u32) {
        let mut costs: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for finding in findings {
            let cost = match finding.severity {
                Severity::Error => continue,
                Severity::Warning => WARNING,
                Severity::Note => NOTE,
            };
            costs.entry(finding.rule.id).or_default().push(cost);
        }
        let lost = costs.into_values().map(|mut costs| {
            costs.sort_unstable_by(|a, b| b.cmp(a));
            costs.iter().take(COUNTED as usize).sum::<u32>()
        });
        let points = 100_u32.saturating_sub(lost.sum());
        let earned = Self::ALL.into_iter().find(|grade| points >= grade.from_points()).unwrap_or(Self::F);
        let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
        (if refused { Self::F } else { earned }, points)
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Grade {
    type Err = NotAGrade;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|grade| grade.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| NotAGrade(text.to_owned()))
    }
}
