"""The one walker on any tree: what is there is found once, junk never, loops end, nothing else is raised."""

import os
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.data.folder import audio_files, list_folder, walk_audio
from mgc_hf.data.listing import is_audio_name, is_ignored
from mgc_hf.errors import SourceError

STEMS = st.text(string.ascii_letters + "é ø$~'\"\t\n-#%{}", min_size=1, max_size=8).filter(
    lambda name: name.strip(". ")
)
FILES = st.builds(
    "{}{}".format, STEMS, st.sampled_from([".wav", ".MP3", ".Flac", ".au", ".txt", ".jpg", "", ".wav.part"])
)
JUNK = st.sampled_from(["._a.wav", ".hidden.wav", "Thumbs.db", "__MACOSX/a.wav", "desktop.ini", ".git/x.wav"])
PATHS = st.lists(st.tuples(st.lists(STEMS, max_size=3), FILES), max_size=12)


def plant(root, paths, junk):
    made = set()
    for folders, name in paths:
        file = root.joinpath(*folders, name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a name is taken by a file or a folder
        made.add(file)
    for name in junk:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return {file for file in made if file.is_file()}


@settings(deadline=None, max_examples=60)
@given(PATHS, st.lists(JUNK, max_size=4))
def test_audio_is_found_once_in_a_fixed_order(tmp_path_factory, paths, junk):
    root = tmp_path_factory.mktemp("tree")
    made = plant(root, paths, junk)
    found = audio_files(root)
    assert len(found) == len(set(found))
    assert set(found) == {
        file
        for file in made
        if is_audio_name(file.name) and not any(is_ignored(part) for part in file.relative_to(root).parts)
    }
    assert found == audio_files(root) == list(walk_audio(root))


@settings(deadline=None, max_examples=60)
@given(PATHS, st.lists(JUNK, max_size=4))
def test_a_tree_is_a_listing_or_one_error_that_names_it(tmp_path_factory, paths, junk):
    root = tmp_path_factory.mktemp("tree")
    plant(root, paths, junk)
    try:
        listing = list_folder(root)
    except SourceError as error:
        assert str(root) in str(error)
        return
    for clip in listing.clips:
        # the first folder below the root that was found is the genre, as it stands
        assert clip.genre in os.path.relpath(clip.path, root).split(os.sep)
        assert not is_ignored(os.path.basename(clip.path))
    names = [clip.path for clip in listing.clips]
    assert len(names) == len(set(names))


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "rock" / "a").mkdir(parents=True)
    (tmp_path / "rock" / "a" / "1.wav").touch()
    (tmp_path / "rock" / "a" / "up").symlink_to(tmp_path / "rock")
    (tmp_path / "rock" / "self").symlink_to("self")
    (tmp_path / "rock" / "gone.wav").symlink_to("nowhere")
    assert audio_files(tmp_path) == [tmp_path / "rock" / "gone.wav", tmp_path / "rock" / "a" / "1.wav"]


def test_a_folder_that_vanishes_is_one_error(tmp_path):
    with pytest.raises(SourceError, match="gone: this folder cannot be read"):
        audio_files(tmp_path / "gone")
