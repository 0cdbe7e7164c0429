//! From words to an expression, by CEL's grammar.

use super::SyntaxError;
use super::expr::{Expr, Fold, Function, Operator};
use super::pattern::Pattern;
use super::token::{Token, tokens};
use crate::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX};

pub(super) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("it has {} bytes, at most {EXPRESSION_BYTES_MAX} are taken", text.len());
        return Err(SyntaxError { at: 1, message });
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, bound: Vec::new(), depth: 0 };
    let expr = parser.expr()?;
    if *parser.peek() != Token::End {
        return parser.fault("nothing may follow here; two conditions are joined by && or ||");
    }
    if expr.height() > EXPRESSION_DEPTH_MAX * 2 {
        return Err(SyntaxError { at: 1, message: TOO_DEEP.to_owned() });
    }
    Ok(expr)
}

const TOO_DEEP: &str = "it is nested too deeply";
const OBJECT: [&str; 2] = ["object", "self"];

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    /// What macros have bound, the innermost last.
    bound: Vec<String>,
    depth: usize,
}

type Parsed = Result<Expr, SyntaxError>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |(at, _)| *at)
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at(), message: message.into() })
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    /// Takes the symbol if it is next.
    fn takes(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.takes(symbol) { Ok(()) } else { self.fault(format!("{symbol:?} must follow here")) }
    }

    fn expr(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            return self.fault(TOO_DEEP);
        }
        let condition = self.or()?;
        let expr = if self.takes("?") {
            let yes = self.or()?;
            self.expect(":")?;
            let no = self.expr()?;
            Expr::Choose(Box::new([condition, yes, no]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn or(&mut self) -> Parsed {
        let mut all = vec![self.and()?];
        while self.takes("||") {
            all.push(self.and()?);
        }
        Ok(if all.len() > 1 { Expr::Or(all) } else { all.remove(0) })
    }

    fn and(&mut self) -> Parsed {
        let mut all = vec![self.relation()?];
        while self.takes("&&") {
            all.push(self.relation()?);
        }
        Ok(if all.len() > 1 { Expr::And(all) } else { all.remove(0) })
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("==") => Operator::Equal,
                Token::Symbol("!=") => Operator::Unequal,
                Token::Symbol("<") => Operator::Less,
                Token::Symbol("<=") => Operator::AtMost,
                Token::Symbol(">") => Operator::Greater,
                Token::Symbol(">=") => Operator::AtLeast,
                Token::Name(name) if name == "in" => Operator::In,
                _ => return Ok(left),
            };
            self.take();
            left = Expr::Binary(operator, Box::new(left), Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("+") => Operator::Add,
                Token::Symbol("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.take();
            left = Expr::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("*") => Operator::Multiply,
                Token::Symbol("/") => Operator::Divide,
                Token::Symbol("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.take();
            left = Expr::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed {
        let make: fn(Box<Expr>) -> Expr = if self.takes("!") {
            Expr::Not
        } else if self.takes("-") {
            Expr::Negate
        } else {
            return self.member();
        };
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            return self.fault(TOO_DEEP);
        }
        let of = self.unary()?;
        self.depth -= 1;
        Ok(make(Box::new(of)))
    }

    fn member(&mut self) -> Parsed {
        let mut of = self.primary()?;
        loop {
            if self.takes("[") {
                let index = self.expr()?;
                self.expect("]")?;
                of = Expr::Index(Box::new(of), Box::new(index));
            } else if self.takes(".") {
                let at = self.at();
                let Token::Name(name) = self.take() else {
                    return Err(SyntaxError {
                        at,
                        message: "the name of a field must follow a point".to_owned(),
                    });
                };
                of = if self.takes("(") {
                    self.method(of, &name, at)?
                } else {
                    Expr::Field(Box::new(of), name)
                };
            } else {
                return Ok(of);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at();
        let fault = |message: String| Err(SyntaxError { at, message });
        match self.take() {
            Token::Int(number) => Ok(Expr::Int(number)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Symbol("(") => {
                let inner = self.expr()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Symbol("[") => self.list("]").map(Expr::List),
            Token::Name(name) => self.named(name, at),
            Token::End => fault("something must follow here".to_owned()),
            Token::Symbol(symbol) => fault(format!("{symbol:?} cannot be here")),
        }
    }

    fn named(&mut self, name: String, at: usize) -> Parsed {
        if self.takes("(") {
            return if name == "has" { self.has(at) } else { self.function(None, &name, at) };
        }
        match name.as_str() {
            "true" => return Ok(Expr::Bool(true)),
            "false" => return Ok(Expr::Bool(false)),
            "null" => return Ok(Expr::Null),
            _ => {}
        }
        if let Some(place) = self.bound.iter().rposition(|bound| *bound == name) {
            return Ok(Expr::Variable(place + 1));
        }
        if OBJECT.contains(&name.as_str()) {
            return Ok(Expr::Variable(0));
        }
        let message =
            format!("there is no {name:?} here: the object is called object, and a text is in quotes");
        Err(SyntaxError { at, message })
    }

    fn has(&mut self, at: usize) -> Parsed {
        let of = self.expr()?;
        self.expect(")")?;
        match of {
            Expr::Field(of, name) => Ok(Expr::Has(of, name)),
            _ => Err(SyntaxError {
                at,
                message: "has() is asked of a field, as in has(object.status)".to_owned(),
            }),
        }
    }

    fn method(&mut self, of: Expr, name: &str, at: usize) -> Parsed {
        let Some(fold) = Fold::named(name) else { return self.function(Some(of), name, at) };
        let here = self.at();
        let Token::Name(bound) = self.take() else {
            let message = format!("{name}() begins with the name of its element, as in {name}(one, ...)");
            return Err(SyntaxError { at: here, message });
        };
        self.expect(",")?;
        self.bound.push(bound);
        let body = self.expr()?;
        self.bound.pop();
        self.expect(")")?;
        Ok(Expr::Fold(fold, Box::new(of), Box::new(body)))
    }

    /// The pattern is read once, so it is there as it is written, not made from the object.
    fn matches(&mut self, of: Expr, at: usize) -> Parsed {
        let fault = |message: String| Err(SyntaxError { at, message });
        let arguments = self.list(")")?;
        let [Expr::Text(pattern)] = arguments.as_slice() else {
            return fault("matches() takes one pattern, a text in quotes".to_owned());
        };
        match Pattern::read(pattern) {
            Ok(pattern) => Ok(Expr::Matches(Box::new(of), pattern)),
            Err(message) => fault(message),
        }
    }

    fn function(&mut self, of: Option<Expr>, name: &str, at: usize) -> Parsed {
        let of = match of {
            Some(of) if name == "matches" => return self.matches(of, at),
            of => of,
        };
        if name == "double" {
            let message = "numbers are whole here: double() is not served".to_owned();
            return Err(SyntaxError { at, message });
        }
        let Some((function, count)) = Function::named(name, of.is_some()) else {
            let message = format!(
                "there is no function {name:?} here; there are has, size, int, string, timestamp and duration, and on \
                 what is before a point contains, startsWith, endsWith, matches, lowerAscii, all, exists, exists_one, filter and map"
            );
            return Err(SyntaxError { at, message });
        };
        let mut all: Vec<Expr> = of.into_iter().collect();
        let before = all.len();
        all.extend(self.list(")")?);
        if all.len() == count {
            return Ok(Expr::Call(function, all));
        }
        let message = format!("{name}() takes {} arguments, not {}", count - before, all.len() - before);
        Err(SyntaxError { at, message })
    }

    /// What is between commas, up to `end`.
    fn list(&mut self, end: &str) -> Result<Vec<Expr>, SyntaxError> {
        let mut all = Vec::new();
        while !self.takes(end) {
            if !all.is_empty() {
                self.expect(",")?;
            }
            all.push(self.expr()?);
        }
        Ok(all)
    }
}
