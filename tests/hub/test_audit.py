"""Cards on the Hub audited by their names alone."""

import json

from tests.auditing.test_published import COURSE
from tests.hub.clients import command, each
from tests.hub.conftest import last_json


def publish(api, repo_id, **contents):
    api().create_repo(repo_id)
    for name, content in contents.items():
        file = {"card": "README.md", "config": "config.json", "weights": "model.safetensors"}[name]
        api().upload_file(path_or_fileobj=content.encode(), path_in_repo=file, repo_id=repo_id)


def test_a_published_card_and_its_base_are_read_and_no_weights(client, api, hub):
    config = json.dumps({"model_type": "hubert"})
    publish(api, "alice/base", card="---\ndatasets:\n- marsyas/gtzan\n---\n", config=config, weights="base")
    course = COURSE.format(base="alice/base", split="train", value=0.83)
    publish(api, "alice/course", card=course, config=config, weights="tuned")
    publish(api, "alice/orphan", card=COURSE.format(base="alice/gone-gtzan", split="train", value=0.83))
    hub.log.clear()
    codes = {
        "course": command("audit", "alice/course", "--json"),
        "orphan": command("audit", "alice/orphan", "--json"),
        "gone": command("audit", "alice/gone"),
    }
    done = client(*each("import mgc_hf.auditing", codes), user=None, check=0)
    came = last_json(done.out)
    assert (came["course"]["error"], came["gone"]["error"]) == (["SystemExit", "1"], ["SystemExit", "2"])
    found = json.loads(came["course"]["out"])
    lacks = {lack["key"]: lack["text"] for lack in found["lacks"]}
    assert list(lacks) == [
        "evaluated_on_train",
        "no_n",
        "no_interval",
        "epoch_chosen_on_test",
        "recordings_not_published",
        "contaminated_base",
    ]
    assert lacks["contaminated_base"] == (
        "it was tuned from alice/base, which knows GTZAN already: its card names GTZAN (datasets)"
    )
    assert found["commit"] == api().model_info("alice/course").sha
    orphan = {lack["key"]: lack["text"] for lack in json.loads(came["orphan"]["out"])["lacks"]}
    assert orphan["contaminated_base"] == (
        "it was tuned from alice/gone-gtzan, which knows GTZAN already: its name names GTZAN"
    )
    assert "alice/gone: the Hub has no such model" in done.err
    assert not [seen for seen in hub.log if "safetensors" in seen.path or seen.method in ("POST", "PUT")]
