use std::rc::Rc;
use std::sync::Arc;

use http::Request;

use super::body::Source;
use super::record::Record;
use super::reply::Passed;
use super::{Gateway, Received, watched};
use crate::api::{ApiContext, CallerSource};
use crate::http::{ApiError, Code, ExtendedConnect};

impl Gateway {
    /// Answers a request for one of the gateway's own endpoints.
    pub(super) async fn answer_itself(
        &self,
        received: Box<Received>,
        record: &mut Record,
    ) -> Result<Passed, ApiError> {
        let head = &received.head;
        record.route = self.own_route();
        // Its client would take any success for a tunnel.
        if head.extensions.get::<ExtendedConnect>().is_some() {
            return Err(Code::NotImplemented.into());
        }
        if let Some(answer) = self.meet(head, record).await? {
            return Ok(answer);
        }
        let context = ApiContext {
            request_id: record.request_id.as_str(),
            client: record.client,
            caller: CallerSource::Credential,
        };
        let exchange = Rc::clone(&record.exchange);
        let request = Request::from_parts(received.head, received.body);
        let answering = Box::pin(self.shared.api.answer(request, &context));
        let answered = watched(&exchange, answering).await;
        // Nothing but a client that stalls sets a deadline here.
        let answered = answered.map_err(|_| Code::RequestTimeout)?;
        record.code = answered.code;
        if let Some(admission) = answered.admission {
            exchange.watched.renew(Arc::clone(&admission));
            // The call that ends its own admission is answered all the same.
            if let Some(ended) = admission.ended().filter(|_| !answered.outlives_admission) {
                return Err(ended.into());
            }
            record.admission = Some(admission);
        }
        record.is_guarded = !answered.outlives_admission;
        Ok(Passed::Answer(answered.response.map(Source::from)))
    }
}
