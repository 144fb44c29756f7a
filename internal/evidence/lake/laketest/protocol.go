package laketest

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// latency is what every call takes at least. Without it the fake answers before the SDK's HTTP transport knows that it has sent
// the request; the SDK then takes the body away under it, the transport drops the connection, and the call is made again
// (the race of https://github.com/aws/aws-sdk-go-v2/issues/2737). The real service is never that quick.
const latency = 2 * time.Millisecond

// scope finds the region in the credential scope of a signed request:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
var scope = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^/,]+/[0-9]{8}/([a-z0-9-]+)/cloudtrail/aws4_request,`)

// ServeHTTP speaks AWS's JSON 1.1 protocol: the operation stands in X-Amz-Target, an error's code in __type.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndex(target, ".")+1:]
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	var in request
	switch {
	case r.Method != http.MethodPost || !strings.HasSuffix(target, "CloudTrail_20131101."+operation):
		answer(w, nil, Fault{Code: "UnknownOperationException", Message: "no operation " + target})
		return
	case signed == nil:
		answer(w, nil, Fault{Code: "MissingAuthenticationTokenException", Message: "Request is missing Authentication Token"})
		return
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		answer(w, nil, Fault{Code: "SerializationException", Message: "the body is not json"})
		return
	}
	in.region = signed[1]
	time.Sleep(latency)
	s.mu.Lock()
	s.calls = append(s.calls, Call{Operation: operation, QueryID: in.QueryID, Token: in.NextToken})
	onCall := s.onCall
	s.mu.Unlock()
	if onCall != nil {
		onCall(operation)
	}
	out, err := s.serve(operation, in)
	answer(w, out, err)
}

// serve lets a call have its effect, its fault, or both.
func (s *Server) serve(operation string, in request) (response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fault *Fault
	if next := s.faults[operation]; len(next) > 0 {
		fault, s.faults[operation] = &next[0], next[1:]
	}
	if fault != nil && !fault.After {
		return nil, *fault
	}
	operations := map[string]func(request) (response, error){
		StartQuery:      s.startQuery,
		DescribeQuery:   s.describeQuery,
		GetQueryResults: s.getQueryResults,
		CancelQuery:     s.cancelQuery,
	}
	do, known := operations[operation]
	if !known {
		return nil, Fault{Code: "UnknownOperationException", Message: "the fake has no " + operation}
	}
	out, err := do(in)
	if fault != nil {
		return nil, *fault
	}
	return out, err
}

// answer writes the response or the error, or cuts the connection.
func answer(w http.ResponseWriter, out response, err error) {
	body, status := any(out), http.StatusOK
	if fault, failed := errors.AsType[Fault](err); failed {
		if fault.Code == "" {
			panic(http.ErrAbortHandler) // net/http's way to cut a connection
		}
		body = response{"__type": fault.Code, "message": fault.Message}
		if status = fault.Status; status == 0 {
			status = http.StatusBadRequest
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // a client that went away is not the fake's affair
}
