//! What an expression is once it was read.

use super::pattern::Pattern;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// A place in the variables: 0 is the object, what macros bind follows.
    Variable(usize),
    /// `a.name`
    Field(Box<Expr>, String),
    /// `has(a.name)`
    Has(Box<Expr>, String),
    /// `a[b]`
    Index(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a ? b : c`
    Choose(Box<[Expr; 3]>),
    /// A function of its target and arguments.
    Call(Function, Vec<Expr>),
    /// `a.matches('...')`
    Matches(Box<Expr>, Pattern),
    /// A macro over the elements of the first, each of them bound in the second.
    Fold(Fold, Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    Int,
    Text,
    Timestamp,
    Duration,
}

impl Function {
    /// The function of that name, and how many arguments it takes, its target counted.
    pub(super) fn named(name: &str, has_target: bool) -> Option<(Self, usize)> {
        match (name, has_target) {
            ("size", _) => Some((Self::Size, 1)),
            ("contains", true) => Some((Self::Contains, 2)),
            ("startsWith", true) => Some((Self::StartsWith, 2)),
            ("endsWith", true) => Some((Self::EndsWith, 2)),
            ("lowerAscii", true) => Some((Self::LowerAscii, 1)),
            ("int", false) => Some((Self::Int, 1)),
            ("string", false) => Some((Self::Text, 1)),
            ("timestamp", false) => Some((Self::Timestamp, 1)),
            ("duration", false) => Some((Self::Duration, 1)),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Fold {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "exists" => Some(Self::Exists),
            "exists_one" => Some(Self::ExistsOne),
            "filter" => Some(Self::Filter),
            "map" => Some(Self::Map),
            _ => None,
        }
    }
}

impl Expr {
    /// How many nodes are above each other in it.
    pub(super) fn height(&self) -> usize {
        let highest = |all: &[Expr]| all.iter().map(Expr::height).max().unwrap_or(0);
        1 + match self {
            Expr::Null | Expr::Bool(_) | Expr::Int(_) | Expr::Text(_) | Expr::Variable(_) => 0,
            Expr::Field(of, _) | Expr::Has(of, _) | Expr::Not(of) | Expr::Negate(of) => of.height(),
            Expr::Matches(of, _) => of.height(),
            Expr::Index(a, b) | Expr::Binary(_, a, b) | Expr::Fold(_, a, b) => a.height().max(b.height()),
            Expr::List(all) | Expr::And(all) | Expr::Or(all) | Expr::Call(_, all) => highest(all),
            Expr::Choose(all) => highest(all.as_slice()),
        }
    }
}
