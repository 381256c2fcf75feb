package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"time"

	"mcp-partner/auth"
	"mcp-partner/internal/config"
)

// callersInterval is how often a server looks whether the config file changed.
const callersInterval = time.Second

// callersWatch has a change of the section callers count without a restart:
// whoever withdraws a tenant means now. What cannot be used leaves the callers
// what they had.
type callersWatch struct {
	path  string
	parse func(data []byte) (config.File, error)
	remap func(auth.Mapping) error
	log   *slog.Logger

	// seen is the file as it was at the last look, tried as it was tried last.
	seen, tried glimpse
	used        auth.Mapping
}

// glimpse is a file at one look. The zero glimpse is of none.
type glimpse struct {
	text   string
	there  bool
	reason string
}

// look tries the file anew if it is another one than that tried last, and the same
// at two looks: half of one that is being written may be a good file that gives
// more, because what bounds a grant had not come yet. A file that is gone is no
// word on anybody: the next one may be on its way.
func (w *callersWatch) look() {
	now := glimpseOf(w.path)
	settled := now == w.seen
	if w.seen = now; !settled || now == w.tried {
		return
	}
	w.tried = now
	if err := w.use(now); err != nil {
		w.log.Error("the changed config file cannot be used; callers keep what they had", "reason", err.Error())
	}
}

// glimpseOf reads a file. One that can be read only once, such as a pipe, is not
// touched.
func glimpseOf(path string) glimpse {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return glimpse{}
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	var data []byte
	if err == nil {
		data, err = config.Read(path)
	}
	if err != nil {
		return glimpse{there: true, reason: err.Error()}
	}
	return glimpse{text: string(data), there: true}
}

func (w *callersWatch) use(now glimpse) error {
	switch {
	case !now.there:
		return errors.New("the file is gone")
	case now.reason != "":
		return errors.New(now.reason)
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

// WatchCallers looks at the config file until the returned function is called.
func (s *Settings) WatchCallers(ctx context.Context, verifier *auth.Authenticator) (stop func()) {
	if verifier == nil || readOnce(s.Source.Path) {
		return func() {}
	}
	watch := &callersWatch{path: s.Source.Path, parse: s.Source.parse, remap: verifier.Remap, log: s.Log, used: s.Config.Callers}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(callersInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				watch.look()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}
