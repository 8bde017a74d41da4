"""The thin shells around the rules: Faust for membership, assignment and timers; our own Kafka transaction for the
rest."""
