from imagegan.cli import main

main()
