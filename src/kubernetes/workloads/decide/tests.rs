use serde_json::json;

use super::*;

const OURS: &str = "shop/shop/6b2f";

fn workload(replicas: i32, owner: Option<&str>, recorded: Option<&str>) -> Workload {
    Workload {
        name: "shop-api".to_owned(),
        replicas,
        owner: owner.map(str::to_owned),
        recorded: recorded.map(str::to_owned),
        ..Workload::default()
    }
}

fn down(recorded: &str) -> Write {
    Write {
        owner: Some(OURS.to_owned()),
        recorded: Some(recorded.to_owned()),
        replicas: 0,
    }
}

fn up(replicas: i32) -> Write {
    Write {
        owner: None,
        recorded: None,
        replicas,
    }
}

#[test]
fn taking_down_records_once_and_never_takes_anothers() {
    // replicas, owner, recorded → write
    let table = [
        (3, None, None, Some(down("3"))),
        (0, None, None, Some(down("0"))),
        (0, Some(OURS), Some("3"), None),
        (5, Some(OURS), Some("3"), Some(down("3"))),
        (3, Some(OURS), None, Some(down("3"))),
        (3, None, Some("9"), Some(down("3"))),
    ];
    for (replicas, owner, recorded, write) in table {
        let case = format!("{replicas} {owner:?} {recorded:?}");
        assert_eq!(
            take_down(&workload(replicas, owner, recorded), OURS).unwrap(),
            write,
            "{case}"
        );
    }
    let others = take_down(&workload(0, Some("cart/cart/1"), Some("3")), OURS).unwrap_err();
    assert!(
        others.to_string().contains("belongs to PostgresUpgrade cart/cart/1"),
        "{others}"
    );
    let edited = take_down(&workload(2, Some(OURS), Some("many")), OURS).unwrap_err();
    assert!(matches!(edited, Error::RecordUnreadable { .. }), "{edited}");
}

#[test]
fn bringing_up_restores_what_was_recorded_and_nothing_else() {
    let table = [
        (0, Some(OURS), Some("3"), Some(up(3))),
        (0, Some(OURS), Some("0"), Some(up(0))),
        // Somebody raised it by hand meanwhile.
        (2, Some(OURS), Some("3"), Some(up(2))),
        (2, Some(OURS), Some("many"), Some(up(2))),
        (3, None, None, None),
        (0, None, None, None),
        (0, None, Some("3"), None),
    ];
    for (replicas, owner, recorded, write) in table {
        let case = format!("{replicas} {owner:?} {recorded:?}");
        assert_eq!(
            bring_up(&workload(replicas, owner, recorded), OURS).unwrap(),
            write,
            "{case}"
        );
    }
    for recorded in [None, Some("-1"), Some("many"), Some("")] {
        let result = bring_up(&workload(0, Some(OURS), recorded), OURS);
        assert!(matches!(result, Err(Error::RecordUnreadable { .. })), "{recorded:?}");
    }
    assert!(matches!(
        bring_up(&workload(0, Some("x/y/z"), Some("3")), OURS),
        Err(Error::OwnedByAnother { .. })
    ));
}

#[test]
fn a_deployment_that_would_not_come_back_is_a_problem() {
    let reasons = |workload: &Workload| {
        problems(workload, OURS)
            .iter()
            .map(|problem| problem.reason)
            .collect::<Vec<_>>()
    };
    assert!(reasons(&workload(3, None, None)).is_empty());
    assert!(reasons(&workload(0, Some(OURS), Some("3"))).is_empty());
    assert_eq!(
        reasons(&workload(3, Some("cart/cart/1"), None)),
        ["WorkloadOwnedByAnother"]
    );
    let broken = Workload {
        paused: true,
        stuck: Some("no quota".to_owned()),
        ..workload(3, None, None)
    };
    assert_eq!(reasons(&broken), ["WorkloadPaused", "WorkloadNotHealthy"]);
}

#[test]
fn only_an_autoscaler_of_keda_would_raise_it() {
    let autoscaler = |target: &str, owner: &str| -> HorizontalPodAutoscaler {
        let owner = json!({ "apiVersion": "keda.sh/v1alpha1", "kind": owner, "name": "s", "uid": "1" });
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": target });
        let spec = json!({ "maxReplicas": 3, "scaleTargetRef": target });
        serde_json::from_value(json!({ "metadata": { "ownerReferences": [owner] }, "spec": spec })).unwrap()
    };
    for (target, owner, count) in [
        ("shop-api", "ScaledObject", 1),
        ("other", "ScaledObject", 0),
        ("shop-api", "Application", 0),
    ] {
        let found = autoscaler_problems(&[autoscaler(target, owner)], "shop-api");
        assert_eq!(found.len(), count, "{target} {owner}");
    }
}

fn pod(name: &str) -> PodState {
    PodState {
        name: name.to_owned(),
        reason: "ImagePullBackOff".to_owned(),
        ..PodState::default()
    }
}

#[test]
fn down_means_seen_by_the_controller_and_no_pod_left() {
    let at = |replicas, generation, observed_generation| Workload {
        generation,
        observed_generation,
        ..workload(replicas, None, None)
    };
    let waiting = |message: &str| Progress::Waiting(message.to_owned());
    let ending = PodState {
        ending: true,
        ..pod("a")
    };
    let evicted = PodState {
        finished: true,
        ..pod("b")
    };
    let table = [
        (at(0, 2, 2), vec![], Progress::Done),
        (at(0, 2, 2), vec![&evicted], Progress::Done),
        (at(0, 2, 2), vec![&ending, &evicted], waiting("1 Pod left: a")),
        (
            at(0, 2, 1),
            vec![],
            waiting("the deployment controller has not seen it yet"),
        ),
        (at(3, 3, 3), vec![], Progress::Reverted),
    ];
    for (workload, pods, progress) in table {
        assert_eq!(is_gone(&workload, &pods), progress, "{workload:?}");
    }
    let many: Vec<PodState> = ["a", "b", "c", "d", "e"].map(pod).into();
    assert_eq!(
        is_gone(&at(0, 1, 1), &many.iter().collect::<Vec<_>>()),
        waiting("5 Pods left: a, b, c and 2 more")
    );
}

#[test]
fn ready_means_all_wanted_pods_of_the_newest_template() {
    let at = |observed_generation, current, updated, ready| Workload {
        generation: 2,
        observed_generation,
        current,
        updated,
        ready,
        ..workload(3, None, None)
    };
    let ready_pod = PodState {
        ready: true,
        ..pod("a")
    };
    let bad_pod = pod("b");
    let pods = [&ready_pod, &bad_pod];
    let table = [
        (at(2, 3, 3, 3), "done"),
        (at(1, 3, 3, 3), "0 of 3 Pods ready; b: ImagePullBackOff"),
        (at(2, 3, 3, 2), "2 of 3 Pods ready; b: ImagePullBackOff"),
        (at(2, 3, 1, 3), "1 of 3 Pods ready; b: ImagePullBackOff"),
        (at(2, 4, 3, 3), "3 of 3 Pods ready; b: ImagePullBackOff"),
    ];
    for (workload, expected) in table {
        let progress = match is_ready(&workload, &pods) {
            Progress::Waiting(message) => message,
            other => format!("{other:?}").to_lowercase(),
        };
        assert_eq!(progress, expected, "{workload:?}");
    }
    let stuck = Workload {
        stuck: Some("quota exceeded".to_owned()),
        ..at(2, 0, 0, 0)
    };
    assert_eq!(
        is_ready(&stuck, &[]),
        Progress::Waiting("0 of 3 Pods ready; quota exceeded".to_owned())
    );
    assert_eq!(is_ready(&Workload::default(), &[]), Progress::Done);
}
