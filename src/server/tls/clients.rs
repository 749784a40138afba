use std::rc::Rc;

use rustls::ServerConnection;

use crate::certificate::Certificate;
use crate::domain::Timestamp;
use crate::http::ClientCertificate;

/// A client's certificate does not count any more, or cannot be told of.
#[derive(Debug)]
pub(in crate::server) struct Unfit;

/// The certificate that the client of a session has shown, which rustls has verified; nothing where it
/// was not asked for one, or need not have one.
///
/// # Errors
///
/// [`Unfit`], when it has expired since: who takes up an earlier session is not verified again.
pub(in crate::server) fn shown_certificate(
    session: &ServerConnection,
    now: Timestamp,
) -> Result<Option<Rc<ClientCertificate>>, Unfit> {
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let Some(shown) = shown else {
        return Ok(None);
    };
    let certificate = Certificate::parse(shown).map_err(|_| Unfit)?;
    if certificate.not_after < now {
        return Err(Unfit);
    }
    Ok(Some(Rc::new(ClientCertificate::from(&certificate))))
}
