//! Evaluation, step by step, each of which is counted.

use super::expr::{Expr, Fold, Function, Operator};
use super::value::Val;
use crate::limits::{EXPRESSION_TEXT_BYTES_MAX, PATTERN_STEPS_PER_BYTE};
use crate::manifest::parse_duration;
use crate::time;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A field, key or element that is not there.
    Missing(String),
    /// It cannot be done.
    Wrong(String),
    /// It takes too many steps, or makes too long a text.
    TooMuch,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing(name) => write!(f, "there is no {name}"),
            Fault::Wrong(why) => f.write_str(why),
            Fault::TooMuch => f.write_str("it is too much work for an object of this size"),
        }
    }
}

/// Bytes of text that are looked at in one step.
const BYTES_A_STEP: usize = 64;

pub(super) struct Evaluation<'a> {
    variables: Vec<Val<'a>>,
    steps_left: u32,
}

type Result<'a> = std::result::Result<Val<'a>, Fault>;

impl<'a> Evaluation<'a> {
    pub(super) fn of(object: &'a Value, steps_max: u32) -> Self {
        Self { variables: vec![Val::of(object)], steps_left: steps_max }
    }

    fn spend(&mut self, steps: usize) -> std::result::Result<(), Fault> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.steps_left.checked_sub(steps));
        self.steps_left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Fault::TooMuch)
    }

    pub(super) fn value(&mut self, expr: &'a Expr) -> Result<'a> {
        self.spend(1)?;
        match expr {
            Expr::Null => Ok(Val::Null),
            Expr::Bool(is) => Ok(Val::Bool(*is)),
            Expr::Int(number) => Ok(Val::Int(*number)),
            Expr::Text(text) => Ok(Val::Text(Cow::Borrowed(text))),
            Expr::Variable(place) => {
                let value = self.variables.get(*place).cloned().unwrap_or(Val::Null);
                self.spend(value.own_bytes() / BYTES_A_STEP)?;
                Ok(value)
            }
            Expr::Field(of, name) => {
                let of = self.value(of)?;
                field(&of, name)?.ok_or_else(|| Fault::Missing(name.clone()))
            }
            Expr::Has(of, name) => {
                let of = self.value(of)?;
                Ok(Val::Bool(field(&of, name)?.is_some()))
            }
            Expr::Index(of, index) => {
                let (of, index) = (self.value(of)?, self.value(index)?);
                element(&of, &index)
            }
            Expr::List(all) => {
                let all: std::result::Result<_, _> = all.iter().map(|one| self.value(one)).collect();
                Ok(Val::List(Rc::new(all?)))
            }
            Expr::Not(of) => self.truth(of).map(|is| Val::Bool(!is)),
            Expr::Negate(of) => match self.value(of)? {
                Val::Int(number) => number.checked_neg().map(Val::Int).ok_or_else(overflow),
                Val::Duration(ms) => ms.checked_neg().map(Val::Duration).ok_or_else(overflow),
                other => Err(Fault::Wrong(format!("{} has no negative", other.what()))),
            },
            Expr::And(all) => self.joined(all, false),
            Expr::Or(all) => self.joined(all, true),
            Expr::Binary(operator, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.binary(*operator, a, b)
            }
            Expr::Choose(of) => {
                let [condition, yes, no] = of.as_ref();
                let chosen = if self.truth(condition)? { yes } else { no };
                self.value(chosen)
            }
            Expr::Call(function, of) => self.call(*function, of),
            Expr::Matches(of, pattern) => match self.value(of)? {
                Val::Text(text) => {
                    self.spend(text.len() * PATTERN_STEPS_PER_BYTE)?;
                    Ok(Val::Bool(pattern.is_in(&text)))
                }
                other => Err(Fault::Wrong(format!("a text is needed, not {}", other.what()))),
            },
            Expr::Fold(fold, of, body) => {
                let of = self.value(of)?;
                self.fold(*fold, &of, body)
            }
        }
    }

    fn truth(&mut self, expr: &'a Expr) -> std::result::Result<bool, Fault> {
        match self.value(expr)? {
            Val::Bool(is) => Ok(is),
            other => Err(Fault::Wrong(format!("{} is neither true nor false", other.what()))),
        }
    }

    /// `&&` (`decides` is false) or `||` (it is true): one that decides does so whatever is wrong with the others.
    fn joined(&mut self, all: &'a [Expr], decides: bool) -> Result<'a> {
        let mut fault = None;
        for one in all {
            match self.truth(one) {
                Ok(is) if is == decides => return Ok(Val::Bool(decides)),
                Ok(_) => {}
                Err(Fault::TooMuch) => return Err(Fault::TooMuch),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        fault.map_or(Ok(Val::Bool(!decides)), Err)
    }

    fn fold(&mut self, fold: Fold, of: &Val<'a>, body: &'a Expr) -> Result<'a> {
        self.spend(of.count().unwrap_or(0))?;
        let Some(elements) = of.elements() else {
            return Err(Fault::Wrong(format!("{} has no elements", of.what())));
        };
        let (mut made, mut holding, mut fault) = (Vec::new(), 0_i64, None);
        for one in elements {
            self.spend(2 * one.own_bytes() / BYTES_A_STEP)?;
            self.variables.push(one.clone());
            let found = if fold == Fold::Map { self.value(body) } else { self.truth(body).map(Val::Bool) };
            self.variables.pop();
            match (fold, found) {
                (_, Err(Fault::TooMuch)) => return Err(Fault::TooMuch),
                (Fold::All, Ok(Val::Bool(false))) => return Ok(Val::Bool(false)),
                (Fold::Exists, Ok(Val::Bool(true))) => return Ok(Val::Bool(true)),
                (Fold::All | Fold::Exists, Err(found)) => fault = fault.or(Some(found)),
                (_, Err(found)) => return Err(found),
                (Fold::Map, Ok(value)) => made.push(value),
                (Fold::Filter, Ok(Val::Bool(true))) => made.push(one),
                (_, Ok(Val::Bool(true))) => holding += 1,
                (_, Ok(_)) => {}
            }
        }
        match (fold, fault) {
            (_, Some(fault)) => Err(fault),
            (Fold::All, None) => Ok(Val::Bool(true)),
            (Fold::Exists, None) => Ok(Val::Bool(false)),
            (Fold::ExistsOne, None) => Ok(Val::Bool(holding == 1)),
            (Fold::Filter | Fold::Map, None) => Ok(Val::List(Rc::new(made))),
        }
    }

    fn binary(&mut self, operator: Operator, a: Val<'a>, b: Val<'a>) -> Result<'a> {
        use Operator::{
            Add, AtLeast, AtMost, Divide, Equal, Greater, In, Less, Multiply, Remainder, Subtract, Unequal,
        };
        match operator {
            Equal => self.equal(&a, &b).map(Val::Bool),
            Unequal => self.equal(&a, &b).map(|is| Val::Bool(!is)),
            In => self.within(&a, &b).map(Val::Bool),
            Less | AtMost | Greater | AtLeast => {
                let order = match (&a, &b) {
                    (Val::Int(a), Val::Int(b))
                    | (Val::Time(a), Val::Time(b))
                    | (Val::Duration(a), Val::Duration(b)) => a.cmp(b),
                    (Val::Text(a), Val::Text(b)) => {
                        self.spend(a.len() / BYTES_A_STEP)?;
                        a.cmp(b)
                    }
                    _ => return Err(Fault::Wrong(format!("{} and {} have no order", a.what(), b.what()))),
                };
                Ok(Val::Bool(match operator {
                    Less => order.is_lt(),
                    AtMost => order.is_le(),
                    Greater => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            Add | Subtract | Multiply | Divide | Remainder => match (operator, a, b) {
                (Add, Val::Text(a), Val::Text(b)) => self.joined_text(&a, &b),
                (Subtract, Val::Time(a), Val::Time(b)) => {
                    a.checked_sub(b).map(Val::Duration).ok_or_else(overflow)
                }
                (Add, Val::Time(a), Val::Duration(b)) | (Add, Val::Duration(b), Val::Time(a)) => {
                    a.checked_add(b).map(Val::Time).ok_or_else(overflow)
                }
                (Subtract, Val::Time(a), Val::Duration(b)) => {
                    a.checked_sub(b).map(Val::Time).ok_or_else(overflow)
                }
                (Add, Val::Duration(a), Val::Duration(b)) => {
                    a.checked_add(b).map(Val::Duration).ok_or_else(overflow)
                }
                (Subtract, Val::Duration(a), Val::Duration(b)) => {
                    a.checked_sub(b).map(Val::Duration).ok_or_else(overflow)
                }
                (_, Val::Int(a), Val::Int(b)) => {
                    let number = match operator {
                        Add => a.checked_add(b),
                        Subtract => a.checked_sub(b),
                        Multiply => a.checked_mul(b),
                        Divide => a.checked_div(b),
                        _ => a.checked_rem(b),
                    };
                    number.map(Val::Int).ok_or_else(overflow)
                }
                (_, a, b) => {
                    Err(Fault::Wrong(format!("{} and {} do not add up: use string()", a.what(), b.what())))
                }
            },
        }
    }

    fn joined_text(&mut self, a: &str, b: &str) -> Result<'a> {
        self.spend((a.len() + b.len()) / BYTES_A_STEP)?;
        if a.len() + b.len() > EXPRESSION_TEXT_BYTES_MAX {
            return Err(Fault::TooMuch);
        }
        Ok(Val::Text(Cow::Owned([a, b].concat())))
    }

    /// Things of different sorts are not equal.
    fn equal(&mut self, a: &Val<'a>, b: &Val<'a>) -> std::result::Result<bool, Fault> {
        self.spend(1)?;
        match (a, b) {
            (Val::Null, Val::Null) => Ok(true),
            (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
            (Val::Int(a), Val::Int(b))
            | (Val::Time(a), Val::Time(b))
            | (Val::Duration(a), Val::Duration(b)) => Ok(a == b),
            (Val::Text(a), Val::Text(b)) => {
                self.spend(a.len().min(b.len()) / BYTES_A_STEP)?;
                Ok(a == b)
            }
            (Val::Json(Value::Number(a)), Val::Json(Value::Number(b))) => Ok(a == b),
            (Val::Json(Value::Object(a)), Val::Json(Value::Object(b))) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, value) in a {
                    let Some(other) = b.get(key) else { return Ok(false) };
                    if !self.equal(&Val::of(value), &Val::of(other))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Val::Json(Value::Object(_)), _) | (_, Val::Json(Value::Object(_))) => Ok(false),
            _ => {
                let (Some(count), Some(others)) = (a.count(), b.count()) else { return Ok(false) };
                for place in 0..count.min(others) {
                    let [a, b] = [a, b].map(|list| list.element(place).unwrap_or(Val::Null));
                    if !self.equal(&a, &b)? {
                        return Ok(false);
                    }
                }
                Ok(count == others)
            }
        }
    }

    fn within(&mut self, a: &Val<'a>, b: &Val<'a>) -> std::result::Result<bool, Fault> {
        if let (Val::Text(key), Val::Json(Value::Object(map))) = (a, b) {
            return Ok(map.contains_key(key.as_ref()));
        }
        let Some(count) = b.count().filter(|_| !matches!(b, Val::Json(Value::Object(_)))) else {
            return Err(Fault::Wrong(format!("nothing is in {}", b.what())));
        };
        for place in 0..count {
            if self.equal(a, &b.element(place).unwrap_or(Val::Null))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn call(&mut self, function: Function, of: &'a [Expr]) -> Result<'a> {
        let mut of =
            of.iter().map(|one| self.value(one)).collect::<std::result::Result<Vec<_>, _>>()?.into_iter();
        let (first, second) = (of.next().unwrap_or(Val::Null), of.next());
        let wrong = |what: &str| Err(Fault::Wrong(what.to_owned()));
        match (function, first, second) {
            (Function::Size, Val::Text(text), _) => {
                self.spend(text.len() / BYTES_A_STEP)?;
                Ok(Val::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX)))
            }
            (Function::Size, of, _) => match of.count() {
                Some(count) => Ok(Val::Int(i64::try_from(count).unwrap_or(i64::MAX))),
                None => Err(Fault::Wrong(format!("{} has no size", of.what()))),
            },
            (
                Function::Contains | Function::StartsWith | Function::EndsWith,
                Val::Text(text),
                Some(Val::Text(part)),
            ) => {
                self.spend((text.len() + part.len()) / BYTES_A_STEP)?;
                Ok(Val::Bool(match function {
                    Function::Contains => text.contains(part.as_ref()),
                    Function::StartsWith => text.starts_with(part.as_ref()),
                    _ => text.ends_with(part.as_ref()),
                }))
            }
            (Function::LowerAscii, Val::Text(text), _) => {
                self.spend(text.len() / BYTES_A_STEP)?;
                if text.len() > EXPRESSION_TEXT_BYTES_MAX {
                    return Err(Fault::TooMuch);
                }
                Ok(Val::Text(Cow::Owned(text.to_ascii_lowercase())))
            }
            (Function::Int, Val::Int(number), _) => Ok(Val::Int(number)),
            (Function::Int, Val::Text(text), _) => match text.parse() {
                Ok(number) => Ok(Val::Int(number)),
                Err(_) => wrong("int() is asked of a text that is no whole number"),
            },
            (Function::Timestamp, of @ Val::Time(_), _) | (Function::Duration, of @ Val::Duration(_), _) => {
                Ok(of)
            }
            (Function::Timestamp, Val::Text(text), _) => match time::parse(&text).map(i64::try_from) {
                Some(Ok(ms)) => Ok(Val::Time(ms)),
                _ => wrong("timestamp() is asked of a text that is no time like 2026-11-20T23:59:59Z"),
            },
            (Function::Duration, Val::Text(text), _) => match parse_duration(&text).map(i64::try_from) {
                Ok(Ok(ms)) => Ok(Val::Duration(ms)),
                _ => wrong("duration() is asked of a text that is no duration like 90s, 15m or 1h30m"),
            },
            (Function::Text, of, _) => {
                let what = of.what();
                of.text()
                    .map(Val::Text)
                    .ok_or_else(|| Fault::Wrong(format!("{what} is not written as a text")))
            }
            (_, of, _) => Err(Fault::Wrong(format!("a text is needed, not {}", of.what()))),
        }
    }
}

fn overflow() -> Fault {
    Fault::Wrong("the number is too large, or divided by zero".to_owned())
}

/// A field of a map; of what is null there is none.
fn field<'a>(of: &Val<'a>, name: &str) -> std::result::Result<Option<Val<'a>>, Fault> {
    match of {
        Val::Json(Value::Object(map)) => Ok(map.get(name).map(Val::of)),
        Val::Null => Err(Fault::Missing(name.to_owned())),
        other => Err(Fault::Wrong(format!("{} has no field {name:?}", other.what()))),
    }
}

fn element<'a>(of: &Val<'a>, index: &Val<'a>) -> Result<'a> {
    match (of, index) {
        (Val::Json(Value::Object(map)), Val::Text(key)) => {
            map.get(key.as_ref()).map(Val::of).ok_or_else(|| Fault::Missing(key.chars().take(64).collect()))
        }
        (Val::Json(Value::Array(_)) | Val::List(_), Val::Int(place)) => {
            let found = usize::try_from(*place).ok().and_then(|place| of.element(place));
            found.ok_or_else(|| Fault::Missing(format!("element {place}")))
        }
        _ => Err(Fault::Wrong(format!("{} has no element at {}", of.what(), index.what()))),
    }
}
