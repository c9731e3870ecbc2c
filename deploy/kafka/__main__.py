import sys

from deploy.kafka import main

if __name__ == "__main__":
    main(sys.argv[1:])
