//! From text to words.

use super::SyntaxError;
use std::iter::Peekable;
use std::str::Chars;

/// A word of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Int(i64),
    Text(String),
    Symbol(&'static str),
    End,
}

/// The longer ones first.
const SYMBOLS: [&str; 22] = [
    "&&", "||", "==", "!=", "<=", ">=", "(", ")", "[", "]", ".", ",", "?", ":", "!", "<", ">", "+", "-", "*",
    "/", "%",
];

/// Words and where each begins, from 1; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut reader = Reader { rest: text.chars().peekable(), at: 1 };
    let mut tokens = Vec::new();
    loop {
        while reader.rest.peek().is_some_and(|next| next.is_ascii_whitespace()) {
            reader.next();
        }
        let at = reader.at;
        let token = reader.token(text)?;
        let is_end = token == Token::End;
        tokens.push((at, token));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.at += usize::from(next.is_some());
        next
    }

    fn fault<T>(&self, at: usize, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { at, message: message.into() })
    }

    fn token(&mut self, text: &str) -> Result<Token, SyntaxError> {
        let at = self.at;
        let Some(first) = self.rest.peek().copied() else { return Ok(Token::End) };
        if first.is_ascii_digit() {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self.word();
            return match self.rest.peek() {
                Some('\'' | '"') if name == "r" => self.quoted(true),
                _ => Ok(Token::Name(name)),
            };
        }
        if matches!(first, '\'' | '"') {
            return self.quoted(false);
        }
        let rest: String = text.chars().skip(at - 1).take(2).collect();
        match SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            Some(symbol) => {
                for _ in symbol.chars() {
                    self.next();
                }
                Ok(Token::Symbol(symbol))
            }
            None if first == '=' => self.fault(at, "equality is =="),
            None if first == '{' => self.fault(at, "maps cannot be made here"),
            None => self.fault(at, format!("{first:?} is not of the language")),
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(next) = self.rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
            self.at += 1;
            word.push(next);
        }
        word
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let at = self.at;
        let word = self.word();
        let number = match word.strip_prefix("0x") {
            Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16).ok(),
            None => word.parse().ok(),
        };
        let Some(number) = number else {
            return self.fault(at, format!("{word:?} is not a whole number of at most 64 bits"));
        };
        if self.rest.peek() == Some(&'.') {
            return self.fault(at, "numbers are whole here, so there is no point in them");
        }
        Ok(Token::Int(number))
    }

    fn quoted(&mut self, raw: bool) -> Result<Token, SyntaxError> {
        let at = self.at;
        let quote = self.next();
        let mut text = String::new();
        loop {
            let here = self.at;
            match self.next() {
                next if next == quote => return Ok(Token::Text(text)),
                None | Some('\n') => return self.fault(at, "the text that begins here does not end"),
                Some('\\') if !raw => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(same @ ('\\' | '\'' | '"' | '`' | '?')) => text.push(same),
                    _ => return self.fault(here, "only \\n, \\t, \\r, \\\\, \\' and \\\" may follow a \\"),
                },
                Some(other) => text.push(other),
            }
        }
    }
}
