package app

import (
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"mcp-partner/auth"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
)

const (
	// settleTime is how long a changed config file must stay the same before it
	// applies, and maxLooks how often a call reads it before it keeps the previous
	// one.
	settleTime = 500 * time.Millisecond
	maxLooks   = 6
)

// callersWatch applies a change of the section callers from the next call on,
// so that withdrawing a tenant takes effect at once. An invalid section keeps
// the previous callers.
type callersWatch struct {
	path  string
	parse func(data []byte) (config.File, error)
	remap func(auth.Mapping) error
	log   *slog.Logger

	// seen is the file as it was at the last look, tried as it was tried last.
	seen, tried glimpse
	used        auth.Mapping

	// known is the version of the file that was tried; mu is held by one call that
	// tries another, and those that come meanwhile wait for it.
	known atomic.Pointer[disk.Stamp]
	mu    sync.Mutex
}

// refresh tries the file if it is another version than that tried last, so that no
// call is answered by an older one.
func (w *callersWatch) refresh() {
	if w.isKnown(disk.StampOf(w.path)) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for range maxLooks {
		stamp := disk.StampOf(w.path)
		if w.isKnown(stamp) {
			return
		}
		if w.look() {
			w.known.Store(&stamp)
			continue
		}
		time.Sleep(settleTime)
	}
}

func (w *callersWatch) isKnown(stamp disk.Stamp) bool {
	known := w.known.Load()
	return known != nil && known.Same(stamp)
}

// glimpse is a file at one look, or why it cannot be read. The zero glimpse is of none.
type glimpse struct {
	text, reason string
	there        bool
}

// look tries the file anew if it is another one than that tried last, and the same
// at two looks: half of one that is being written may be a good file that gives
// more, because what bounds a grant had not come yet. A file that is gone is no
// word on anybody: the next one may be on its way. It reports whether the file was
// the same.
func (w *callersWatch) look() (settled bool) {
	now := glimpseOf(w.path)
	settled = now == w.seen
	if w.seen = now; !settled || now == w.tried {
		return settled
	}
	w.tried = now
	if err := w.use(now); err != nil {
		w.log.Error("the changed config file cannot be used; callers keep what they had", "reason", err.Error())
	}
	return true
}

// glimpseOf reads a file. One that can be read only once, such as a pipe, is not
// touched.
func glimpseOf(path string) glimpse {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return glimpse{}
	case err == nil && !info.Mode().IsRegular():
		return glimpse{reason: "it is not a regular file", there: true}
	}
	data, err := config.Read(path)
	if err != nil {
		return glimpse{reason: err.Error(), there: true}
	}
	return glimpse{text: string(data), there: true}
}

func (w *callersWatch) use(now glimpse) error {
	if now.reason != "" || !now.there {
		return errors.New(cmp.Or(now.reason, "the file is gone"))
	}
	file, err := w.parse([]byte(now.text))
	if err != nil || reflect.DeepEqual(file.Callers, w.used) {
		return err
	}
	if err := w.remap(file.Callers); err != nil {
		return err
	}
	w.used = file.Callers
	w.log.Info("the section callers of the config file was reloaded")
	return nil
}

// readOnce reports whether there is something else than a file: what came through
// a pipe at the start does not come again.
func readOnce(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular()
}

// watchCallers gives remap the section callers whenever refresh finds another one.
func (s *Settings) watchCallers(log *slog.Logger, remap func(auth.Mapping) error) (refresh func()) {
	if readOnce(s.Source.Path) {
		return func() {}
	}
	watch := &callersWatch{path: s.Source.Path, parse: s.Source.parse, remap: remap, log: log, used: s.Config.Callers}
	watch.seen = glimpseOf(watch.path)
	return watch.refresh
}

// WatchCallers has the authenticator look at the config file before each answer.
func (s *Settings) WatchCallers(verifier *auth.Authenticator) {
	if verifier != nil {
		verifier.RefreshBy(s.watchCallers(s.Log, verifier.Remap))
	}
}

// callersNow returns the section callers as it is at each call.
func (s *Settings) callersNow() func() auth.Mapping {
	var now atomic.Pointer[auth.Mapping]
	now.Store(&s.Config.Callers)
	refresh := s.watchCallers(slog.New(slog.DiscardHandler), func(m auth.Mapping) error {
		now.Store(&m)
		return nil
	})
	return func() auth.Mapping {
		refresh()
		return *now.Load()
	}
}
