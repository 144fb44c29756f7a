package awstest

// What fakes of services with AWS's JSON 1.1 protocol over HTTP have in common: the protocol, the signature's scope, and every way in which a
// call can fail, before it has an effect or after. What a call does is each fake's own.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Fault is how one call fails. A fault with a Code is an answer of AWS, one with a Page is somebody else's; without both, the connection
// is cut.
type Fault struct {
	Code    string
	Message string
	// Status is the HTTP status; 0 means 400, with which these services answer all errors of the caller.
	Status int
	// Reason and AthenaErrorCode are members that some of Athena's errors have beside.
	Reason, AthenaErrorCode string
	// Page is what a proxy answers instead.
	Page string
	// After makes the call take effect first: it failed, but it happened.
	After bool
}

// Error makes a Fault what the fakes' operations return.
func (f Fault) Error() string { return f.Code + ": " + f.Message }

// The faults that every service has, and those of the way to it.
var (
	Throttled     = Fault{Code: "ThrottlingException", Message: "Rate exceeded"}
	InternalError = Fault{Code: "InternalFailure", Message: "An unknown error occurred.", Status: http.StatusInternalServerError}
	ExpiredToken  = Fault{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	Cut           = Fault{}
	CutAfter      = Fault{After: true}
	Blocked       = Fault{Page: "<html>blocked</html>", Status: http.StatusForbidden}
)

// AccessDenied is IAM's refusal of an action, "cloudtrail:StartQuery".
func AccessDenied(action string) Fault {
	return Fault{Code: "AccessDeniedException", Message: fmt.Sprintf(
		"User: arn:aws:sts::111122223333:assumed-role/test/test is not authorized to perform: %s", action)}
}

// latency is what every call takes at least. Without it a fake answers before the SDK's HTTP transport knows that it has sent
// the request. The SDK then takes the body away under it, the transport drops the connection, and the call is made again
// (the race of https://github.com/aws/aws-sdk-go-v2/issues/2737). The real services are never that quick.
const latency = 2 * time.Millisecond

// scope finds the region and the service in the credential scope of a signed request:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
var scope = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^/,]+/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request,`)

// Request is a call as it came in, signed for Region.
type Request struct {
	Operation, Region string
	Body              []byte
}

// Service is the common part of one fake. Its methods may be called while it serves.
type Service struct {
	// Target is what stands before the operation's name in X-Amz-Target, Scope the name that calls are signed for.
	Target, Scope string
	// Came is run with every call that comes in, those too that are refused or cut off.
	Came func(Request)
	// Do lets a call have its effect. Its error, if not nil, is a Fault.
	Do func(Request) (any, error)

	mu     sync.Mutex
	faults map[string][]Fault
	bodies map[string]string
	onCall func(operation string)
}

// Fail makes the next calls of an operation fail, one fault for each call.
func (s *Service) Fail(operation string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = map[string][]Fault{}
	}
	s.faults[operation] = append(s.faults[operation], faults...)
}

// Serve makes an operation take effect and answer "200 OK" with this body, whatever there is to say.
func (s *Service) Serve(operation, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies == nil {
		s.bodies = map[string]string{}
	}
	s.bodies[operation] = body
}

// OnCall sets what is run when a call has come in, before it has an effect.
func (s *Service) OnCall(f func(operation string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onCall = f
}

// ServeHTTP reads a call: the operation stands in X-Amz-Target. An error's code goes back in __type.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndex(target, ".")+1:]
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	body, err := io.ReadAll(r.Body)
	switch {
	case r.Method != http.MethodPost || !strings.HasSuffix(target, s.Target+"."+operation):
		answer(w, nil, Fault{Code: "UnknownOperationException", Message: "no operation " + target})
		return
	case signed == nil || signed[2] != s.Scope:
		answer(w, nil, Fault{Code: "MissingAuthenticationTokenException", Message: "Request is missing Authentication Token"})
		return
	case err != nil || !json.Valid(body):
		answer(w, nil, Fault{Code: "SerializationException", Message: "the body is not json"})
		return
	}
	time.Sleep(latency)
	call := Request{operation, signed[1], body}
	s.Came(call)
	s.mu.Lock()
	onCall := s.onCall
	s.mu.Unlock()
	if onCall != nil {
		onCall(operation)
	}
	out, err := s.serve(call)
	answer(w, out, err)
}

// serve lets a call have its effect, its fault, or both.
func (s *Service) serve(call Request) (any, error) {
	s.mu.Lock()
	var fault *Fault
	if next := s.faults[call.Operation]; len(next) > 0 {
		fault, s.faults[call.Operation] = &next[0], next[1:]
	}
	body, canned := s.bodies[call.Operation]
	s.mu.Unlock()
	if fault != nil && !fault.After {
		return nil, *fault
	}
	out, err := s.Do(call)
	switch {
	case fault != nil:
		return nil, *fault
	case canned:
		return json.RawMessage(body), nil
	}
	return out, err
}

// answer writes the response or the error, or cuts the connection.
func answer(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	if fault, failed := errors.AsType[Fault](err); failed {
		if fault.Page != "" {
			w.WriteHeader(fault.Status)
			io.WriteString(w, fault.Page)
			return
		}
		if fault.Code == "" {
			panic(http.ErrAbortHandler) // net/http's way to cut a connection
		}
		said := map[string]string{"__type": fault.Code, "Message": fault.Message}
		for name, value := range map[string]string{"Reason": fault.Reason, "AthenaErrorCode": fault.AthenaErrorCode} {
			if value != "" {
				said[name] = value
			}
		}
		out, status = said, cmp.Or(fault.Status, http.StatusBadRequest)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(out) // a client that went away is not the fake's affair
}
