# Puts events to EventBridge patterns, as moto matches them: {"patterns": {id: pattern}, "events": [event]} comes on standard input; for
# each event, the ids of the patterns that match it go to standard output. Run by patterns.go, in a process of its own.
import json
import sys

from moto.events.models import EventPattern

given = json.load(sys.stdin)
patterns = {id: EventPattern.load(json.dumps(pattern)) for id, pattern in given["patterns"].items()}
json.dump([[id for id, pattern in patterns.items() if pattern.matches_event(event)] for event in given["events"]], sys.stdout)
