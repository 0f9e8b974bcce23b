"""What can be known of the systems without running them."""

from study.cells import GRIDS
from study.systems import SYSTEMS
from study.systems.paceline import forget_blobs, settings_of, streams_of


def test_every_system_has_a_setting_for_every_cell():
    for grid in GRIDS.values():
        for cell in grid():
            for system in SYSTEMS.values():
                settings = system.settings(cell)
                assert settings and len(settings) == len({name for name, _ in settings})
                assert all(system.streams(name, cell)[0] > 0 for name, _ in settings)


def test_the_papers_grid():
    found = {(cell.rtt_ms, cell.image) for cell in GRIDS["paper"]()}
    assert len(found) == 9
    for cell in GRIDS["paper"]():
        names = {name for name, _ in SYSTEMS["paceline"].settings(cell)}
        assert names == {"adaptive", *(f"fixed:{n}" for n in (1, 3, 5, 7, 9, 10))}


def test_the_modern_grid():
    assert len(GRIDS["modern"]()) == 2 * 3 * 2 * 2 * 3
    assert "fixed:16" in {name for name, _ in SYSTEMS["paceline"].settings(GRIDS["modern"]()[0])}


def test_fixed_settings_are_the_daemons_own_keys():
    assert settings_of("fixed:7")["concurrency.streams"] == 7 and settings_of("fixed:7")["concurrency.mode"] == "fixed"
    assert "concurrency.mode" not in settings_of("adaptive")


def test_streams_are_weighted_by_time():
    lines = ['{"elapsed_ms":0,"streams":0,"state":"resolving"}', '{"elapsed_ms":100,"streams":4,"state":"fetching"}',
             '{"elapsed_ms":400,"streams":8,"state":"fetching"}', '{"elapsed_ms":500,"streams":0,"state":"done"}']
    assert streams_of("\n".join(lines)) == (5.0, 8)
    assert streams_of("") == (None, None)


def test_a_second_pull_keeps_the_memory_of_paths_alone(tmp_path):
    state = tmp_path / "root" / "state"
    state.mkdir(parents=True)
    (state / "paths.json").write_text("{}")
    (state / "journal").write_text("x")
    (tmp_path / "root" / "content").mkdir()
    forget_blobs(tmp_path)
    assert [path.name for path in (tmp_path / "root").rglob("*")] == ["state", "paths.json"]
