"""The test Hub answers huggingface_hub as the real one does; each test is something that a client relies on."""

import io
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfFileSystem,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub.app import USERS
from tests.hub.conftest import ROOT
from tests.hub.faults import Fault
from tests.hub.server import running

ID = "alice/model"


@pytest.fixture
def alice(api):
    client = api("alice")
    client.create_repo(ID)
    return client


def add(path, content):
    return CommitOperationAdd(path, content.encode() if isinstance(content, str) else content)


def commit(client, *operations, message="a change", **more):
    return client.create_commit(ID, list(operations), commit_message=message, **more)


def test_who_asks(api):
    assert api("alice").whoami()["name"] == "alice"
    assert [org["name"] for org in api("bob").whoami()["orgs"]] == ["studio"]
    with pytest.raises(HfHubHTTPError) as caught:
        api("alice").whoami(token="hf_of_nobody")
    assert caught.value.response.status_code == 401


def test_repositories_are_made_renamed_and_removed(api):
    alice = api("alice")
    url = alice.create_repo(ID, private=True)
    assert (url.repo_id, url.repo_type) == (ID, "model")
    assert alice.create_repo(ID, exist_ok=True) == url
    with pytest.raises(HfHubHTTPError) as caught:
        alice.create_repo(ID)
    assert caught.value.response.status_code == 409
    assert alice.model_info(ID).private
    assert [commit.title for commit in alice.list_repo_commits(ID)] == ["initial commit"]
    for client in (api("bob"), api(None)):
        with pytest.raises(RepositoryNotFoundError):
            client.model_info(ID)
    alice.update_repo_settings(ID, private=False)
    assert api(None).model_info(ID).id == ID
    alice.move_repo(ID, "alice/renamed")
    assert alice.model_info(ID).id == "alice/renamed"
    alice.create_repo("alice/other")
    with pytest.raises(HfHubHTTPError, match="already exists"):
        alice.move_repo("alice/renamed", "alice/other")
    alice.delete_repo("alice/renamed")
    with pytest.raises(RepositoryNotFoundError):
        alice.model_info("alice/renamed")
    alice.delete_repo("alice/renamed", missing_ok=True)
    assert {model.id for model in alice.list_models(author="alice")} == {"alice/other"}


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_the_same_name_in_each_type(api, repo_type):
    alice = api("alice")
    alice.create_repo(ID, repo_type=repo_type, space_sdk="gradio" if repo_type == "space" else None)
    alice.upload_file(path_or_fileobj=b"x", path_in_repo="a/b.txt", repo_id=ID, repo_type=repo_type)
    assert "a/b.txt" in {sibling.rfilename for sibling in alice.repo_info(ID, repo_type=repo_type).siblings}
    for other in {"model", "dataset", "space"} - {repo_type}:
        assert not alice.repo_exists(ID, repo_type=other)


def test_what_a_user_may_not_do(api, alice):
    for client, status in ((api("bob"), 403), (api(None), 401)):
        with pytest.raises(HfHubHTTPError) as caught:
            commit(client, add("a", "b"))
        assert caught.value.response.status_code == status
    alice.token = USERS["alice"]["read_token"]
    assert alice.model_info(ID)
    with pytest.raises(HfHubHTTPError, match="write token"):
        commit(alice, add("a", "b"))
    alice.auth_check(ID)
    with pytest.raises(HfHubHTTPError):
        alice.auth_check(ID, write=True)
    api("bob").create_repo("studio/shared")
    api("alice").upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="studio/shared")


def test_files_of_every_kind_come_back(alice, tmp_path):
    contents = {"a.txt": b"text\n", "empty": b"", "deep/er/b.bin": bytes(range(256)) * 40, "ä ö#?%.txt": b"odd name"}
    made = commit(alice, *(add(path, content) for path, content in contents.items()))
    assert len(made.oid) == 40
    assert made.commit_url.endswith(f"/{ID}/commit/{made.oid}")
    for path, content in contents.items():
        found = hf_hub_download(ID, path, endpoint=alice.endpoint, cache_dir=tmp_path / "cache")
        assert Path(found).read_bytes() == content
    folder = snapshot_download(ID, endpoint=alice.endpoint, cache_dir=tmp_path / "cache")
    assert (Path(folder) / "deep/er/b.bin").read_bytes() == contents["deep/er/b.bin"]
    info = {sibling.rfilename: sibling for sibling in alice.model_info(ID, files_metadata=True).siblings}
    assert info["deep/er/b.bin"].lfs.size == 256 * 40
    assert info["a.txt"].lfs is None
    git = subprocess.run(["git", "hash-object", "--stdin"], input=b"text\n", capture_output=True, check=True)
    assert info["a.txt"].blob_id == git.stdout.decode().strip()


def test_large_files_go_in_parts(hub, alice, tmp_path):
    hub.lfs_chunk = 5 * 2**20
    content = bytes(2**20) + b"middle" * 2**20 + bytes(5 * 2**20)
    commit(alice, add("model.safetensors", content))
    puts = [seen for seen in hub.log if seen.method == "PUT" and "/parts/" in seen.path]
    assert len(puts) == 3
    found = hf_hub_download(ID, "model.safetensors", endpoint=alice.endpoint, cache_dir=tmp_path)
    assert Path(found).read_bytes() == content
    assert not list(hub.store.incoming.iterdir())


def test_unchanged_files_make_no_commit(hub, alice):
    files = [add("a.txt", "text"), add("model.safetensors", b"weights")]
    first = commit(alice, *files)
    again = commit(alice, add("a.txt", "text"), add("model.safetensors", b"weights"))
    assert again.oid == first.oid
    assert len(list(alice.list_repo_commits(ID))) == 2


def test_deleting_copying_and_history(alice):
    commit(alice, add("a.txt", "1"), add("w.bin", b"2"), add("f/x", "3"), add("f/y", "4"))
    commit(alice, CommitOperationCopy("a.txt", "b.txt"), CommitOperationCopy("w.bin", "v.bin"))
    commit(alice, CommitOperationDelete("f/", is_folder=True), CommitOperationDelete("a.txt"), message="less")
    assert set(alice.list_repo_files(ID)) == {".gitattributes", "b.txt", "v.bin", "w.bin"}
    titles = [one.title for one in alice.list_repo_commits(ID)]
    assert titles == ["less", "a change", "a change", "initial commit"]
    items = {item.path: item for item in alice.list_repo_tree(ID, recursive=True, expand=True)}
    assert items["w.bin"].last_commit.title == "a change"
    with pytest.raises(BadRequestError, match="does not exist"):
        commit(alice, CommitOperationDelete("gone"))


def test_a_stale_parent_is_412_and_leaves_all_as_it_was(alice):
    head = alice.model_info(ID).sha
    commit(alice, add("a", "1"), parent_commit=head)
    with pytest.raises(HfHubHTTPError, match="was updated since") as caught:
        commit(alice, add("b", "2"), parent_commit=head)
    assert caught.value.response.status_code == 412
    assert set(alice.list_repo_files(ID)) == {".gitattributes", "a"}


def test_branches_and_tags(alice):
    first = commit(alice, add("a", "1"))
    alice.create_branch(ID, branch="feature/x")
    made = alice.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=ID, revision="feature/x")
    alice.create_tag(ID, tag="v1", revision="feature/x")
    refs = alice.list_repo_refs(ID)
    assert {branch.name: branch.target_commit for branch in refs.branches} == {
        "main": first.oid,
        "feature/x": made.oid,
    }
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", made.oid)]
    for revision in ("feature/x", "v1", made.oid, made.oid[:8]):
        assert alice.model_info(ID, revision=revision).sha == made.oid
    with pytest.raises(HfHubHTTPError, match="already exists"):
        alice.create_branch(ID, branch="feature/x")
    with pytest.raises(HfHubHTTPError, match="already exists"):
        alice.create_tag(ID, tag="v1")
    alice.create_tag(ID, tag="v1", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="Cannot delete refs/heads/main"):
        alice.delete_branch(ID, branch="main")
    with pytest.raises(HfHubHTTPError, match="Invalid rev id"):
        alice.delete_branch(ID, branch="gone")
    with pytest.raises(RevisionNotFoundError):
        alice.delete_tag(ID, tag="gone")
    with pytest.raises(RevisionNotFoundError):
        alice.model_info(ID, revision="gone")
    alice.delete_branch(ID, branch="feature/x")
    alice.super_squash_history(ID)
    assert len(list(alice.list_repo_commits(ID))) == 1


def test_what_is_not_there_is_remembered(hub, alice, tmp_path):
    where = {"endpoint": alice.endpoint, "cache_dir": tmp_path}
    for _ in range(2):
        with pytest.raises(EntryNotFoundError):
            hf_hub_download(ID, "gone.json", **where)
    assert list(tmp_path.rglob(".no_exist/*/gone.json"))
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(ID, "gone.json", revision="gone", **where)
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("alice/gone", "gone.json", **where)


def test_a_download_goes_on_where_it_stopped(hub, alice):
    commit(alice, add("w.bin", bytes(range(250)) * 100))
    request = urllib.request.Request(f"{hub.endpoint}/{ID}/resolve/main/w.bin", headers={"Range": "bytes=24990-"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == "bytes 24990-24999/25000"
        assert answer.read() == bytes(range(240, 250))


def test_what_other_clients_ask_for(hub, alice):
    """JavaScript's client makes repositories with files in them, sends its `.gitattributes` along, counts commits."""

    def ask(path, body=None):
        headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(hub.endpoint + path, json.dumps(body).encode() if body else None, headers)
        with urllib.request.urlopen(request) as answer:
            return answer.headers, answer.read()

    file = {"path": "a.txt", "content": "YQ==", "encoding": "base64"}
    ask("/api/repos/create", {"name": "filled", "organization": "alice", "files": [file]})
    assert ask("/alice/filled/resolve/main/a.txt")[1] == b"a"
    asked = {"files": [{"path": "x.odd", "size": 5, "sample": ""}], "gitAttributes": "*.odd filter=lfs\n"}
    assert json.loads(ask(f"/api/models/{ID}/preupload/main", asked)[1])["files"][0]["uploadMode"] == "lfs"
    commit(alice, add("w.bin", b"weights"))
    assert ask(f"/api/models/{ID}/commits/main?limit=1")[0]["X-Total-Count"] == "2"
    assert ask(f"/{ID}/resolve/main/w.bin")[1] == b"weights"
    assert ask(f"/{ID}/raw/main/w.bin")[1].startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")


def test_gated_repositories_are_for_those_who_own_them(api, alice, tmp_path):
    alice.update_repo_settings(ID, gated="auto")
    alice.auth_check(ID)
    for client in (api("bob"), api(None)):
        assert client.model_info(ID).gated == "auto"
        with pytest.raises(GatedRepoError, match="is restricted"):
            client.auth_check(ID)
        with pytest.raises(GatedRepoError):
            client.hf_hub_download(ID, ".gitattributes", cache_dir=tmp_path)


def test_what_gitignore_names_is_not_taken(alice, tmp_path):
    folder = tmp_path / "folder"
    for path in ("kept.txt", "notes.tmp", "cache/x", "deep/cache/y", "deep/kept.tmp"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    (folder / ".gitignore").write_text("# none of these\n*.tmp\n!kept.tmp\ncache/\n")
    alice.upload_folder(repo_id=ID, folder_path=folder)
    assert set(alice.list_repo_files(ID)) == {".gitattributes", ".gitignore", "deep/kept.tmp", "kept.txt"}


def test_a_path_that_leaves_the_repository_is_refused(alice):
    for path, status in (("..\\out", 422), ("a/../out", 400), ("/out", 400)):
        operation = add("in", "x")
        operation.path_in_repo = path
        with pytest.raises(HfHubHTTPError) as caught:
            commit(alice, operation)
        assert caught.value.response.status_code == status


def test_a_name_without_namespace_is_no_repository(alice):
    for name in ("gone", "model"):
        with pytest.raises(RepositoryNotFoundError):
            alice.model_info(name)
        with pytest.raises(RepositoryNotFoundError):
            alice.hf_hub_download(name, "config.json")


def test_the_file_system_reads_parts(api, alice):
    commit(alice, add("data/w.bin", bytes(range(250)) * 100))
    files = HfFileSystem(endpoint=alice.endpoint, token=alice.token)
    assert files.ls(f"{ID}/data", detail=False) == [f"{ID}/data/w.bin"]
    with files.open(f"{ID}/data/w.bin", "rb", block_size=1000) as file:
        file.seek(24990)
        assert file.read() == bytes(range(240, 250))


def test_long_lists_come_in_pages(hub, alice):
    commit(alice, *(add(f"f/{number:04d}", str(number)) for number in range(1100)))
    assert len(list(alice.list_repo_tree(ID, "f"))) == 1100
    assert len([seen for seen in hub.log if "/tree/main/f" in seen.path]) == 2
    assert {item.path for item in alice.get_paths_info(ID, ["f/0007", "f", "gone"])} == {"f/0007", "f"}


def test_pull_requests(api, alice):
    commit(alice, add("a", "1"))
    bob = api("bob")
    made = commit(bob, add("a", "2"), create_pr=True, message="better")
    assert made.pr_url.endswith(f"/{ID}/discussions/1")
    assert made.pr_revision == "refs/pr/1"
    assert alice.model_info(ID, revision="refs/pr/1").sha == made.oid
    assert alice.model_info(ID).sha != made.oid
    details = alice.get_discussion_details(ID, 1)
    assert (details.title, details.author, details.target_branch) == ("better", "bob", "refs/heads/main")
    assert [event.type for event in details.events] == ["commit"]
    alice.comment_discussion(ID, 1, "thanks")
    comment = next(event for event in alice.get_discussion_details(ID, 1).events if event.type == "comment")
    assert alice.edit_discussion_comment(ID, 1, comment.id, "many thanks").content == "many thanks"
    alice.merge_pull_request(ID, 1)
    assert alice.get_discussion_details(ID, 1).status == "merged"
    assert next(iter(alice.list_repo_commits(ID))).title == "better (#1)"
    assert [one.num for one in alice.get_repo_discussions(ID)] == [1]
    assert alice.list_repo_refs(ID, include_pull_requests=True).pull_requests[0].ref == "refs/pr/1"


def test_cards_are_validated(alice):
    good = "---\nlicense: mit\ntags:\n- a\n---\n# x\n"
    commit(alice, add("README.md", good))
    assert alice.model_info(ID).tags == ["a", "license:mit"]
    for bad in (
        "---\nlicense: [\n---\n",
        "---\ntags: 3\n---\n",
        "---\nmodel-index: 3\n---\n",
        "---\nlicense: apache\n---\n",
    ):
        with pytest.raises(ValueError, match="Invalid metadata"):
            commit(alice, add("README.md", bad))
    body = json.dumps({"content": bad, "repoType": "model"}).encode()
    headers = {"Accept": "text/plain"}  # so does `ModelCard.validate`
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{alice.endpoint}/api/validate-yaml", body, headers))
    assert caught.value.read().startswith(b'- Error: "license" must be one of')


def test_two_at_once_lose_nothing(api):
    clients = [api("alice"), api("bob")]
    clients[0].create_repo("studio/shared")

    def work(client, name):
        for number in range(10):
            client.upload_file(
                path_or_fileobj=io.BytesIO(b"x"), path_in_repo=f"{name}/{number}", repo_id="studio/shared"
            )

    threads = [threading.Thread(target=work, args=(client, name)) for client, name in zip(clients, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients[0].list_repo_files("studio/shared")) == 21


def test_faults_strike_when_they_are_told_to(hub, alice):
    hub.faults = [Fault("quota", "POST", "/commit/", first=2, times=1)]
    commit(alice, add("a", "1"))
    with pytest.raises(HfHubHTTPError, match="storage limit") as caught:
        commit(alice, add("a", "2"))
    assert caught.value.response.status_code == 403
    commit(alice, add("a", "3"))
    seen = []
    hub.on_arrival = seen.append
    alice.model_info(ID)
    assert [(one.method, one.user) for one in seen] == [("GET", "alice")]


def test_a_connection_that_is_cut_in_an_upload(hub, alice):
    hub.faults = [Fault("cut", "PUT", "/_lfs/", times=1, values={"after": 1_000_000})]
    commit(alice, add("w.bin", bytes(20_000_000)))  # huggingface_hub tries again
    assert [seen.status for seen in hub.log if seen.method == "PUT"] == [0, 200]


def test_repositories_outlive_the_server(tmp_path, api):
    with running(tmp_path / "kept") as hub:
        client = api("alice")
        client.endpoint = hub.endpoint
        client.create_repo(ID)
        made = commit(client, add("a", "1"), add("w.bin", b"2"))
    with running(tmp_path / "kept") as hub:
        client.endpoint = hub.endpoint
        assert client.model_info(ID).sha == made.oid


def test_started_by_hand(tmp_path):
    command = [sys.executable, "-m", "tests.hub", "--port", "0", "--root", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            first = json.loads(process.stdout.readline())
            assert first["users"]["bob"]["token"].startswith("hf_")
            with urllib.request.urlopen(f"{first['endpoint']}/") as answer:
                assert b"Repositories" in answer.read()
        finally:
            process.terminate()


def test_a_card_is_shown_to_a_browser(hub, alice):
    text = (
        "---\ntags:\n- <b>\nwidget:\n- src: widget/a.wav\n  example_title: A\n---\n# Title\n\n|a|b|\n|-|-|\n|1|<script>alert(1)</script>|\n\n"
        "![picture](images/p.png)\n<!-- hidden -->\n[file](results.json) [out](https://example.org)\n"
    )
    commit(alice, add("README.md", text), add("images/p.png", b"png"), add("results.json", "{}"))
    with urllib.request.urlopen(f"{hub.endpoint}/{ID}") as answer:
        page = answer.read().decode()
    assert "<h1>Title</h1>" in page
    assert f'src="/{ID}/resolve/main/images/p.png"' in page
    assert f'href="/{ID}/resolve/main/results.json"' in page
    assert f'<audio controls src="/{ID}/resolve/main/widget/a.wav">' in page
    assert 'href="https://example.org"' in page
    assert "<script>" not in page
    assert "<b>" not in page.replace("<b>Examples</b>", "")
    assert "hidden" not in page
    for view in ("tree/main", "commits/main", "blob/main/results.json"):
        with urllib.request.urlopen(f"{hub.endpoint}/{ID}/{view}") as answer:
            assert answer.status == 200
