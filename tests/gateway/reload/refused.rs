use super::{add, edit, exchange, refusal, reload};
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

async fn gateway(service: &Service) -> World {
    let setup = Setup::new()
        .server("# server")
        .upstream("service", service.address)
        .route("/x", "service", "public = true");
    setup.start_empty().await
}

/// A change that would be seen at once if anything was applied.
const NEW_ROUTE: &str = "[[routes]]\npath = \"/new\"\nupstream = \"service\"\npublic = true";

async fn nothing_changed(world: &World, refusals: u32) {
    let mut wire = world.wire().await;
    wire.call(&Call::get("/x")).await.expect(200);
    assert_eq!(wire.call(&Call::get("/new")).await.status, 404);
    world.metric("dariet_config_generation 1").await;
    let refused = format!("dariet_config_reloads_total{{result=\"refused\"}} {refusals}");
    world.metric(&refused).await;
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_every_mistake_is_shown_as_check_shows_it() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    edit(&world, add(NEW_ROUTE));
    edit(
        &world,
        exchange("# server", "worker = 3\nhead_timeout = \"soon\""),
    );
    edit(
        &world,
        add("[[routes]]\npath = \"/y\"\nupstream = \"servise\""),
    );

    let said = refusal(&world);

    let checked = world.command(&["check"], "");
    let checked = String::from_utf8(checked.stderr).unwrap();
    assert!(said.starts_with(checked.trim_end()), "{said}\n{checked}");
    for mistake in ["worker", "soon", "servise"] {
        assert!(said.contains(mistake), "{said}");
    }
    assert!(
        said.ends_with("goes on by the configuration before\n"),
        "{said}"
    );
    nothing_changed(&world, 1).await;
    let line = world.node().log.wait_for("the refusal", |line| {
        line["message"] == "configuration not reloaded; the one before holds"
    });
    let mistakes = line.await["mistakes"].as_str().unwrap().to_owned();
    assert!(
        mistakes.contains("worker") && mistakes.contains("servise"),
        "{mistakes}"
    );

    edit(&world, |text| {
        let end = text.find("[[routes]]\npath = \"/y\"").unwrap();
        text[..end].replace("worker = 3\nhead_timeout = \"soon\"", "")
    });
    reload(&world);
    world
        .wire()
        .await
        .call(&Call::get("/new"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_change_that_needs_a_restart_is_refused_with_everything_else() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    edit(&world, add(NEW_ROUTE));
    edit(
        &world,
        exchange("# server", "workers = 7\nmax_connections = 77"),
    );
    edit(
        &world,
        exchange("level = \"info\"", "level = \"info\"\naccess = false"),
    );

    let said = refusal(&world);

    for key in ["server.workers", "server.max_connections", "logging.access"] {
        let line = format!(
            "{key} is another, which takes a restart: restart the gateway, or change it back\n"
        );
        assert!(said.contains(&line), "{said}");
    }
    assert!(!said.contains("server.listen"), "{said}");
    nothing_changed(&world, 1).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_with_what_needs_a_restart() {
    let service = Service::echo().await;
    let world = gateway(&service).await;
    edit(&world, add(NEW_ROUTE));
    let certificate = world.config().with_file_name("gateway.crt");
    let more =
        "[[server.tls.certificates]]\ncertificate = \"gone.crt\"\nprivate_key = \"gone.key\"\n";
    edit(&world, exchange("[admin]", &format!("{more}[admin]")));
    edit(&world, exchange("# server", "workers = 7"));
    let tls = format!(
        "[upstreams.far]\nservers = [\"https://localhost:9\"]\ntls.ca = {:?}",
        certificate.with_file_name("none.pem")
    );
    edit(&world, add(&tls));

    let said = refusal(&world);

    for part in ["gone.crt", "none.pem", "server.workers"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    nothing_changed(&world, 1).await;
}
