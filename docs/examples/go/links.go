package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	path         = "/v1/services/shout/link"
	credit       = 16 // calls in flight, for each node
	heartbeat    = 15 * time.Second
	writeTimeout = 10 * time.Second
	forgetAfter  = 5 * time.Minute
)

var (
	urls     = strings.Split(cmp.Or(os.Getenv("SWITCHBOARD_URLS"), "ws://127.0.0.1:8001"), ",") // one is enough: it names the other nodes
	header   = http.Header{"Authorization": {"Bearer " + cmp.Or(os.Getenv("SWITCHBOARD_API_KEY"), "dev")}}
	instance = "shout-" + rand.Text()
)

// link is the WebSocket to one node.
type link struct {
	links     *links
	conn      *websocket.Conn
	lost      context.Context
	running   sync.WaitGroup // calls
	mutex     sync.Mutex     // protects what follows
	open      bool           // takes publications
	calls     map[uint64]context.CancelFunc
	publishes map[uint64]chan answer
	lastID    uint64
}

// frame is a frame of a node: one of these.
type frame struct {
	Welcome *struct{ Peers []string }
	Call    *call
	Cancel  *struct{ ID uint64 }
	Event   *struct{}
	Ack     *answer
	Nack    *answer
	Drain   *struct{}
	Error   *struct{ Message string }
}

type call struct {
	ID         uint64
	Method     string
	Data       json.RawMessage
	User       string
	DeadlineMS int64 `json:"deadline_ms"`
}

// answer is the answer to a publication.
type answer struct {
	ID    uint64
	Error *struct {
		Code      string
		Message   string
		Retryable bool
	}
}

// send sends a frame. If that fails, the link is lost, and run ends.
func (l *link) send(kind string, body object) {
	text, err := json.Marshal(object{kind: body})
	if err != nil {
		log.Print("a frame is no JSON: ", err)
		return
	}
	ctx, cancel := context.WithTimeout(l.lost, writeTimeout)
	defer cancel()
	_ = l.conn.Write(ctx, websocket.MessageText, text)
}

// run reads frames until the link is lost.
func (l *link) run() error {
	l.send("hello", object{"service": "shout", "instance": instance, "credit": credit})
	for {
		_, text, err := l.conn.Read(l.lost)
		if err != nil {
			return err
		}
		var frame frame
		if err := json.Unmarshal(text, &frame); err != nil {
			return err
		}
		l.receive(frame)
	}
}

func (l *link) receive(frame frame) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case frame.Welcome != nil: // comes again when nodes come or go
		l.open = true
		l.links.opened()
		l.links.add(frame.Welcome.Peers, true)
	case frame.Call != nil:
		// The context ends when nobody waits for the answer any more: after a cancel, at the deadline, or without the link.
		ctx, cancel := context.WithTimeout(l.lost, time.Duration(frame.Call.DeadlineMS)*time.Millisecond)
		l.calls[frame.Call.ID] = cancel
		l.running.Go(func() { l.answer(ctx, *frame.Call) })
	case frame.Cancel != nil:
		if cancel := l.calls[frame.Cancel.ID]; cancel != nil {
			cancel()
		}
	case frame.Event != nil:
		go l.send("credit", object{"n": 1})
	case frame.Ack != nil:
		l.acknowledge(*frame.Ack)
	case frame.Nack != nil:
		l.acknowledge(*frame.Nack)
	case frame.Drain != nil: // the node stops: it takes no more publications
		l.open = false
	case frame.Error != nil:
		log.Print("the node closes the link: ", frame.Error.Message)
	}
}

func (l *link) acknowledge(answer answer) {
	if waiting := l.publishes[answer.ID]; waiting != nil {
		waiting <- answer
		delete(l.publishes, answer.ID)
	}
}

// answer answers a call and returns the credit.
func (l *link) answer(ctx context.Context, call call) {
	data, err := l.links.shout.guarded(ctx, call)
	var failed failure
	switch {
	case ctx.Err() != nil: // nobody waits
	case err == nil:
		l.send("reply", object{"id": call.ID, "data": data})
	case errors.As(err, &failed):
		l.send("error", object{"id": call.ID, "code": failed.code, "message": failed.message, "temporary": failed.temporary})
	default:
		log.Print("a call failed: ", err)
		l.send("error", object{"id": call.ID, "code": 500, "message": "the service failed"})
	}
	l.send("credit", object{"n": 1})
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.calls[call.ID]()
	delete(l.calls, call.ID)
}

// guarded turns a panic into an error: a mistake of ours ends one call, and not the service.
func (s *shout) guarded(ctx context.Context, call call) (data object, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return s.call(ctx, call.Method, call.Data, call.User)
}

var (
	errLost  = errors.New("the link was lost")
	errKnown = errors.New("the node has a link, through another address")
)

// publish waits for the answer of the node.
func (l *link) publish(ctx context.Context, body object) (answer, error) {
	answered := make(chan answer, 1)
	l.mutex.Lock()
	l.lastID++
	id := l.lastID
	l.publishes[id] = answered
	l.mutex.Unlock()
	defer func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		delete(l.publishes, id)
	}()
	frame := maps.Clone(body)
	frame["id"] = id
	l.send("publish", frame)
	select {
	case answer := <-answered:
		return answer, nil
	case <-l.lost.Done():
		return answer{}, errLost
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

func (l *link) isOpen() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.open && l.lost.Err() == nil
}

// beat pings the node, and ends the link if there is no answer.
func (l *link) beat(lose context.CancelFunc) {
	for l.lost.Err() == nil {
		pause(l.lost, heartbeat)
		ctx, cancel := context.WithTimeout(l.lost, heartbeat)
		if l.conn.Ping(ctx) != nil {
			lose()
		}
		cancel()
	}
}

// drain takes no more calls and finishes those that run. The answer to the ping comes after all calls that the node sent before.
func (l *link) drain() {
	l.send("drain", object{})
	_ = l.conn.Ping(l.lost)
	l.running.Wait()
}

// links is a link to each node.
type links struct {
	shout     *shout
	mutex     sync.Mutex // protects what follows
	byNode    map[string]*link
	addresses map[string]bool
	waiting   chan struct{} // closed when a link opens
}

func (l *links) opened() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	close(l.waiting)
	l.waiting = make(chan struct{})
}

func (l *links) add(urls []string, named bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, url := range urls {
		if !l.addresses[url] {
			l.addresses[url] = true
			go l.keep(url, named)
		}
	}
}

// keep keeps a link to this address. One that a node named is forgotten when its node does not come back.
func (l *links) keep(url string, named bool) {
	longest, lastLinked := 100*time.Millisecond, time.Now()
	for l.shout.stopping.Err() == nil && !(named && time.Since(lastLinked) > forgetAfter) {
		began := time.Now()
		node, err := l.link(url)
		if node != "" {
			lastLinked = time.Now()
		}
		if err == errKnown {
			longest = 30 * time.Second
		} else {
			log.Print(url, " ", err) // also a refused upgrade: 401, 404, 503
		}
		pause(l.shout.stopping, longest/2+mrand.N(longest/2)) // at random, so that not all come back at once
		longest = min(2*longest, 5*time.Second)
		if time.Since(began) > 5*time.Second {
			longest = 100 * time.Millisecond
		}
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.addresses, url)
}

// link opens a link and waits for its end. It returns the node, if there was one. A second link to a node would replace the first.
func (l *links) link(url string) (node string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return "", err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	node = response.Header.Get("Switchboard-Node")
	lost, lose := context.WithCancel(context.Background())
	defer lose()
	link := &link{links: l, conn: conn, lost: lost, calls: map[uint64]context.CancelFunc{}, publishes: map[uint64]chan answer{}}
	l.mutex.Lock()
	if l.byNode[node] != nil {
		l.mutex.Unlock()
		return node, errKnown
	}
	l.byNode[node] = link
	l.mutex.Unlock()
	defer func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		delete(l.byNode, node)
	}()
	go link.beat(lose)
	return node, link.run()
}

// all returns the links, and a channel that is closed when another one opens.
func (l *links) all() ([]*link, <-chan struct{}) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Collect(maps.Values(l.byNode)), l.waiting
}

// publish publishes over any link until a node has stored it; once, because every attempt has the same key.
func (l *links) publish(ctx context.Context, channel string, data object, key string) error {
	body := object{"channel": channel, "data": data, "idempotency_key": key}
	for longest := 50 * time.Millisecond; ; longest = min(2*longest, 2*time.Second) {
		links, opened := l.all()
		links = slices.DeleteFunc(links, func(link *link) bool { return !link.isOpen() })
		if len(links) == 0 {
			select {
			case <-opened:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		answer, err := links[mrand.N(len(links))].publish(ctx, body)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the link was lost
		case answer.Error == nil:
			return nil
		case answer.Error.Code == "idempotency_mismatch":
			return failure{code: 409, message: "the id belongs to another text"}
		case !answer.Error.Retryable:
			return failure{code: 500, message: answer.Error.Message}
		}
		pause(ctx, longest/2+mrand.N(longest/2))
	}
}

// stop takes no more calls, finishes those that run and the streams, and closes the links.
func (l *links) stop() {
	links, _ := l.all()
	inParallel(links, (*link).drain)
	l.shout.streams.Wait()
	inParallel(links, func(link *link) { _ = link.conn.Close(websocket.StatusNormalClosure, "") })
}

func inParallel(links []*link, do func(*link)) {
	var done sync.WaitGroup
	for _, link := range links {
		done.Go(func() { do(link) })
	}
	done.Wait()
}
