//! Where a server may listen.

use crate::identity::Identity;
use std::net::SocketAddr;
use thiserror::Error;

/// A server that would be open to others without saying who they are, or in the clear. Nothing was opened.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExposureError {
    /// No login.
    #[error(
        "failed to listen on {0}: it is not a loopback address, and without a tokens_file everybody who reaches it \
         could do everything; set tokens_file and tls, or listen on 127.0.0.1"
    )]
    NoLogin(SocketAddr),
    /// No TLS.
    #[error(
        "failed to listen on {0}: it is not a loopback address, and without tls tokens would cross the network in \
         the clear; set tls {{cert, key, ca}}, or listen on 127.0.0.1"
    )]
    NoTls(SocketAddr),
}

/// Refuses an address that others can reach, unless there are login and TLS.
///
/// # Errors
/// [`ExposureError`], which says what to do.
pub fn check_exposure(listen: SocketAddr, tls: bool, identity: &Identity) -> Result<(), ExposureError> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    if matches!(identity, Identity::Dev) {
        return Err(ExposureError::NoLogin(listen));
    }
    if !tls {
        return Err(ExposureError::NoTls(listen));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::identity::Tokens;

    #[test]
    fn off_loopback_a_server_needs_login_and_tls() {
        let tokens = Identity::Tokens(Tokens::parse("t,ann,1").unwrap());
        for local in ["127.0.0.1:7001", "[::1]:7001"] {
            assert_eq!(check_exposure(local.parse().unwrap(), false, &Identity::Dev), Ok(()));
        }
        for open in ["0.0.0.0:7001", "[::]:7001", "10.0.0.1:7001"] {
            let open = open.parse().unwrap();
            assert_eq!(check_exposure(open, true, &Identity::Dev), Err(ExposureError::NoLogin(open)));
            assert_eq!(check_exposure(open, false, &tokens), Err(ExposureError::NoTls(open)));
            assert_eq!(check_exposure(open, true, &tokens), Ok(()));
        }
    }
}
