//! One tally for each name, in a Durable Object: there it runs alone, so that
//! two that ask at once are granted one after the other.

use core::time::Duration;

use dermalia_link::{Allowance, Counted, Tally};
use serde::{Deserialize, Serialize};
use worker::js_sys::{Function, Reflect};
// What `durable_object` writes finds `wasm_bindgen` by this name.
use worker::wasm_bindgen::{self, JsCast as _, JsValue};
use worker::{
    Date, DurableObject, Env, EnvBinding as _, Method, ObjectNamespace, Request, RequestInit,
    Response, State, durable_object,
};

const BINDING: &str = "TALLIES";
/// Where the objects have to stay, where the product offers it: `eu`.
const JURISDICTION: &str = "TALLIES_JURISDICTION";
/// The one thing that an object stores.
const STORED: &str = "tally";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Call {
    Take(Allowance),
    GiveBack,
}

/// Takes one from an allowance; none if that cannot be told.
pub(crate) async fn take(env: &Env, allowance: &Allowance) -> Option<Counted> {
    let answer = call(env, &allowance.name, &Call::Take(allowance.clone())).await;
    let counted = match answer {
        Ok(mut answer) if answer.status_code() == 200 => answer.json().await.ok(),
        _ => None,
    };
    if counted.is_none() {
        worker::console_error!("edge.tally_failed call=take");
    }
    counted
}

/// Gives back the one that was taken last.
pub(crate) async fn give_back(env: &Env, allowance: &Allowance) {
    if call(env, &allowance.name, &Call::GiveBack).await.is_err() {
        worker::console_error!("edge.tally_failed call=give_back");
    }
}

async fn call(env: &Env, name: &str, call: &Call) -> worker::Result<Response> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_body(Some(serde_json::to_string(call)?.into()));
    // An object has no address of its own; the runtime wants one all the same.
    let request = Request::new_with_init("https://tally/", &init)?;
    let stub = namespace(env)?.get_by_name(name)?;
    stub.fetch_with_request(request).await
}

/// The objects of the jurisdiction that the configuration names.
fn namespace(env: &Env) -> worker::Result<ObjectNamespace> {
    let namespace = env.durable_object(BINDING)?;
    let jurisdiction = env
        .var(JURISDICTION)
        .map_or_else(|_| String::new(), |text| text.to_string());
    if jurisdiction.is_empty() {
        return Ok(namespace);
    }
    let namespace = JsValue::from(namespace);
    let restrict: Function = Reflect::get(&namespace, &"jurisdiction".into())?.dyn_into()?;
    let within = restrict.call1(&namespace, &jurisdiction.into())?;
    ObjectNamespace::get(within)
}

/// The object behind one name.
#[durable_object]
pub struct Tallies {
    state: State,
}

impl DurableObject for Tallies {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let call: Call = request.json().await?;
        // From here to the end nothing but this object's own storage is waited
        // for, and while it is, the runtime delivers no other request.
        let storage = self.state.storage();
        let mut tally: Tally = match storage.get::<String>(STORED).await? {
            Some(stored) => serde_json::from_str(&stored)?,
            None => Tally::default(),
        };
        let now_secs = Date::now().as_millis() / 1000;
        let counted = match &call {
            Call::Take(allowance) => Some(tally.take(allowance, now_secs)),
            Call::GiveBack => {
                tally.give_back();
                None
            }
        };
        storage.put(STORED, serde_json::to_string(&tally)?).await?;
        if let Call::Take(allowance) = &call {
            let life = allowance.forget_at_secs.saturating_sub(now_secs).max(1);
            storage.set_alarm(Duration::from_secs(life)).await?;
        }
        Response::from_json(&counted)
    }

    /// Nothing is kept longer than it can matter.
    async fn alarm(&self) -> worker::Result<Response> {
        self.state.storage().delete_all().await?;
        Response::empty()
    }
}
