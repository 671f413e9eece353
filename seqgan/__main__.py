from seqgan.cli import main

main()
