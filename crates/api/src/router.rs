//! All addresses. The OpenAPI document is made from the same list, so it cannot lag behind.
use crate::app::App;
use crate::http::{
    actions, agents, approvals, batch, budgets, conflicts, connectors, fleets, graph, groups,
    halts, health, holding, instances, keys, limits, locks, permits, plans, policies, rules,
    scopes, settings, status, tools, transactions, versions,
};
use crate::{events, front, openapi, session};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every described address.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(fleets::list, fleets::create))
        .routes(routes!(fleets::create_tenant))
        .routes(routes!(keys::list, keys::issue))
        .routes(routes!(keys::revoke))
        .routes(routes!(status::get))
        .routes(routes!(permits::list, permits::request))
        .routes(routes!(batch::batch))
        .routes(routes!(permits::explain))
        .routes(routes!(permits::get))
        .routes(routes!(holding::complete_permit))
        .routes(routes!(holding::fail))
        .routes(routes!(holding::cancel))
        .routes(routes!(holding::renew))
        .routes(routes!(holding::extend))
        .routes(routes!(agents::list))
        .routes(routes!(agents::get, agents::put, agents::delete))
        .routes(routes!(agents::set_status))
        .routes(routes!(instances::list, instances::connect))
        .routes(routes!(instances::disconnect))
        .routes(routes!(instances::heartbeat))
        .routes(routes!(instances::ready))
        .routes(routes!(instances::acknowledge_halt))
        .routes(routes!(instances::signals))
        .routes(routes!(scopes::list))
        .routes(routes!(scopes::get, scopes::put, scopes::delete))
        .routes(routes!(groups::list))
        .routes(routes!(groups::get, groups::put, groups::delete))
        .routes(routes!(actions::list))
        .routes(routes!(actions::get, actions::put, actions::delete))
        .routes(routes!(limits::list))
        .routes(routes!(limits::get, limits::put, limits::delete))
        .routes(routes!(rules::list))
        .routes(routes!(rules::get, rules::put, rules::delete))
        .routes(routes!(rules::roll_back))
        .routes(routes!(rules::reset))
        .routes(routes!(policies::list))
        .routes(routes!(policies::get, policies::put, policies::delete))
        .routes(routes!(policies::roll_back))
        .routes(routes!(policies::test))
        .routes(routes!(policies::get_data, policies::put_data))
        .routes(routes!(tools::list))
        .routes(routes!(tools::get, tools::put, tools::delete))
        .routes(routes!(budgets::list))
        .routes(routes!(budgets::get, budgets::put, budgets::delete))
        .routes(routes!(budgets::top_up))
        .routes(routes!(graph::edges))
        .routes(routes!(graph::analysis))
        .routes(routes!(graph::blast))
        .routes(routes!(graph::export))
        .routes(routes!(graph::declare))
        .routes(routes!(graph::undeclare))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::get))
        .routes(routes!(approvals::answer))
        .routes(routes!(approvals::escalate))
        .routes(routes!(approvals::reassign))
        .routes(routes!(approvals::comment))
        .routes(routes!(approvals::delegations, approvals::delegate))
        .routes(routes!(approvals::end_delegation))
        .routes(routes!(transactions::list, transactions::begin))
        .routes(routes!(transactions::get))
        .routes(routes!(transactions::enlist))
        .routes(routes!(transactions::hold))
        .routes(routes!(transactions::commit))
        .routes(routes!(transactions::abort))
        .routes(routes!(transactions::report))
        .routes(routes!(transactions::resolve))
        .routes(routes!(connectors::list))
        .routes(routes!(
            connectors::get,
            connectors::put,
            connectors::delete
        ))
        .routes(routes!(settings::get, settings::put))
        .routes(routes!(locks::list))
        .routes(routes!(locks::validate))
        .routes(routes!(versions::get))
        .routes(routes!(conflicts::list))
        .routes(routes!(conflicts::get))
        .routes(routes!(conflicts::resolve))
        .routes(routes!(conflicts::answer))
        .routes(routes!(conflicts::vote))
        .routes(routes!(plans::list, plans::declare))
        .routes(routes!(plans::get, plans::withdraw))
        .routes(routes!(halts::list, halts::order))
        .routes(routes!(halts::get))
        .routes(routes!(halts::release))
        .routes(routes!(events::stream_events))
        .routes(routes!(session::open))
}

/// The doors, ready to be served.
pub fn router(app: App) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .route("/openapi.json", get(openapi::serve))
        .fallback(front::no_route)
        .method_not_allowed_fallback(front::no_method)
        // Bodies are bounded where they are read, with a problem that says so.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), front::pass))
        .with_state(app)
}
