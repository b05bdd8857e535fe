"""`python -m mgc_hf`: the command line, as launchers of several processes start it (`torchrun -m mgc_hf predict ...`)."""

from mgc_hf.cli.main import main

if __name__ == "__main__":
    main()
