package dynamo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/awstest"
)

// front stands before moto. It does what DynamoDB does and moto does not. It has the limits of items and transactions, and remembers
// ClientRequestTokens. It does one transaction at a time: moto rolls back by putting a copy of the whole table in its place. And it fails
// to order. Without moto it can only fail.
type front struct {
	t    *testing.T
	moto string

	mu      sync.Mutex
	faults  map[string][]fault // by operation; each call takes the next one, and the last one stays
	calls   map[string]int
	tokens  map[string]string // ClientRequestToken: the request
	largest int               // bytes of the largest item

	release chan struct{} // closed when the test ends, so that hanging answers end
}

// fault is what goes wrong with one call; the zero value is nothing.
type fault struct {
	status  int
	code    string
	reasons []string // of a cancelled transaction
	body    string   // an answer that is not AWS's
	applied bool     // the call takes effect first
	cut     bool     // the connection
	hang    bool
	hide    string // leaves the items of this sort key out of a query's answer
}

var (
	none     = fault{}
	deny     = fault{status: 400, code: "AccessDeniedException"}
	throttle = fault{status: 400, code: "ThrottlingException"}
)

func cancel(reasons ...string) fault {
	return fault{status: 400, code: "TransactionCanceledException", reasons: reasons}
}

// newFront starts a front; moto is "" or an endpoint.
func newFront(t *testing.T, moto string) (*front, aws.Config) {
	t.Helper()
	f := &front{t: t, moto: moto, faults: map[string][]fault{}, calls: map[string]int{}, tokens: map[string]string{}, release: make(chan struct{})}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(f.release) }) // before srv.Close, which waits for the handlers
	return f, awstest.Config(srv.URL)
}

// newTable makes a table in moto, as infra makes it in AWS, and returns a store over it.
func newTable(t *testing.T, cfg aws.Config, name string) *Store {
	t.Helper()
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	var attributes []types.AttributeDefinition
	for _, name := range []string{PartitionKey, SortKey, IndexPartitionKey, IndexSortKey} {
		attributes = append(attributes, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	_, err := dynamodb.NewFromConfig(cfg).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest, AttributeDefinitions: attributes,
		KeySchema: []types.KeySchemaElement{key(PartitionKey, types.KeyTypeHash), key(SortKey, types.KeyTypeRange)},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String(Index),
			KeySchema:  []types.KeySchemaElement{key(IndexPartitionKey, types.KeyTypeHash), key(IndexSortKey, types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: Projected()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // the client has given up meanwhile, and the table never sees the call
		return
	}
	if r.Header.Get("Authorization") == "" {
		f.t.Errorf("a request without a signature: %s", body)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[operation]++
	ft := none
	if queue := f.faults[operation]; len(queue) > 0 {
		ft = queue[0]
		if len(queue) > 1 {
			f.faults[operation] = queue[1:]
		}
	}
	status, header, answer := http.StatusOK, http.Header{}, []byte(nil)
	if ft.goesOn() || ft.applied {
		status, header, answer = f.do(r, operation, body)
	}
	switch {
	case ft.hang:
		f.mu.Unlock()
		select {
		case <-f.release:
		case <-r.Context().Done():
		}
		f.mu.Lock()
		return
	case ft.cut:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			f.t.Error(err)
			return
		}
		conn.Close()
		return
	case ft.body != "":
		status, answer = ft.status, []byte(ft.body)
	case ft.code != "":
		status, answer = ft.status, refusalOf(ft)
	case ft.hide != "":
		header.Del("X-Amz-Crc32")
		answer = hide(f.t, answer, ft.hide)
	}
	for _, name := range []string{"X-Amz-Crc32", "Content-Type"} {
		if v := header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(status)
	w.Write(answer)
}

// goesOn reports that the call is answered as it should be, perhaps with less.
func (ft fault) goesOn() bool { return ft.code == "" && ft.body == "" && !ft.cut && !ft.hang }

func refusalOf(ft fault) []byte {
	out := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + ft.code, "message": "no"}
	if ft.reasons != nil {
		var reasons []map[string]string
		for _, code := range ft.reasons {
			reasons = append(reasons, map[string]string{"Code": code, "Message": "no"})
		}
		out["CancellationReasons"] = reasons
	}
	text, _ := json.Marshal(out)
	return text
}

// do asks moto, within the limits that moto does not know.
func (f *front) do(r *http.Request, operation string, body []byte) (int, http.Header, []byte) {
	var in struct {
		ClientRequestToken string
		Item               map[string]map[string]any
		TransactItems      []struct {
			Put struct{ Item map[string]map[string]any }
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		f.t.Errorf("%s: %v", operation, err)
	}
	total := 0
	for _, i := range in.TransactItems {
		total += f.measure(i.Put.Item)
	}
	f.measure(in.Item)
	if len(in.TransactItems) > 100 || total > 4<<20 {
		f.t.Errorf("a transaction of %d items with %d bytes: DynamoDB takes 100 and 4 MB", len(in.TransactItems), total)
	}
	if in.ClientRequestToken != "" {
		switch done, known := f.tokens[in.ClientRequestToken]; {
		case known && done == string(body):
			return http.StatusOK, http.Header{}, []byte("{}")
		case known:
			return http.StatusBadRequest, http.Header{}, refusalOf(fault{code: "IdempotentParameterMismatchException"})
		}
	}
	if f.moto == "" {
		f.t.Errorf("%s without moto", operation)
		return http.StatusNotImplemented, http.Header{}, nil
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, f.moto+"/", bytes.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return http.StatusInternalServerError, http.Header{}, nil
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token", "Content-Type"} {
		req.Header.Set(name, r.Header.Get(name))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusInternalServerError, http.Header{}, nil // the caller has gone
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil && r.Context().Err() == nil { // the caller may have gone here, too
		f.t.Error(err)
	}
	if in.ClientRequestToken != "" && resp.StatusCode == http.StatusOK {
		f.tokens[in.ClientRequestToken] = string(body)
	}
	return resp.StatusCode, resp.Header, answer
}

// measure counts an item's bytes as DynamoDB does: names and values, a number at most 21.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (f *front) measure(item map[string]map[string]any) int {
	size := 0
	for name, value := range item {
		size += len(name)
		for kind, v := range value {
			switch text, _ := v.(string); kind {
			case "S":
				size += len(text)
			case "N":
				size += 21
			case "B":
				raw, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					f.t.Error(err)
				}
				size += len(raw)
			default:
				f.t.Errorf("an attribute of type %s", kind)
			}
		}
	}
	if size > 400<<10 {
		f.t.Errorf("an item of %d bytes: DynamoDB takes 400 KB", size)
	}
	f.largest = max(f.largest, size)
	return size
}

// hide leaves items out of a query's answer.
func hide(t *testing.T, answer []byte, sk string) []byte {
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Error(err)
		return answer
	}
	items, _ := out["Items"].([]any)
	out["Items"] = slices.DeleteFunc(items, func(i any) bool {
		return i.(map[string]any)["sk"].(map[string]any)["S"] == sk
	})
	text, err := json.Marshal(out)
	if err != nil {
		t.Error(err)
	}
	return text
}

// fail sets what goes wrong with an operation from now on; nothing, to go right.
func (f *front) fail(operation string, faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[operation] = faults
}

// count returns how often an operation was called since the last count.
func (f *front) count(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.calls[operation]
	f.calls[operation] = 0
	return n
}
