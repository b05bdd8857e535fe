"""The files of `recipes/accelerate/`, read by accelerate's own loader and resolved by its own launcher."""

from pathlib import Path

import pytest
from accelerate.commands import launch
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.utils import DistributedType

FOLDER = Path(__file__).parents[1] / "recipes" / "accelerate"
EXPECTED = {
    "one_gpu_bf16.yaml": (DistributedType.NO, 1, 1),
    "multi_gpu.yaml": (DistributedType.MULTI_GPU, 1, 8),
    "multi_node.yaml": (DistributedType.MULTI_GPU, 2, 16),
}


def test_every_file_is_checked():
    assert {path.name for path in FOLDER.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_accelerate_reads_it(name):
    kind, machines, processes = EXPECTED[name]
    config = load_config_from_file(str(FOLDER / name))
    assert isinstance(config, ClusterConfig)
    assert (config.distributed_type, config.num_machines, config.num_processes) == (kind, machines, processes)
    assert config.mixed_precision == "bf16"
    assert not config.use_cpu
    arguments = launch.launch_command_parser().parse_args(
        ["--config_file", str(FOLDER / name), "recipes/lstm.py", "--dataset", "demo"]
    )
    arguments, _, _ = launch._validate_launch_command(arguments)
    assert bool(arguments.multi_gpu) is (kind == DistributedType.MULTI_GPU)
    assert (arguments.num_machines, arguments.num_processes, arguments.machine_rank) == (machines, processes, 0)
    assert arguments.mixed_precision == "bf16"
    if machines > 1:
        assert (arguments.main_process_ip, arguments.main_process_port) == ("10.0.0.1", 29500)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_says_what_it_ran_on(name):
    text = (FOLDER / name).read_text()
    assert text.startswith("# ")
    assert "Not yet run on" in text
    assert f"accelerate launch --config_file recipes/accelerate/{name}" in text
