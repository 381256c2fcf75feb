package cli

import (
	"bytes"
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
	load  func() (config.File, error)
	remap func(auth.Mapping) error
	log   *slog.Logger

	// tried is the file as it was tried last, good or bad, nil if there was none;
	// used is the mapping in force.
	tried []byte
	used  auth.Mapping
}

// look reads the file anew if it is another one than that tried last. A file that
// is gone is no word on anybody: the next one may be on its way.
func (w *callersWatch) look() {
	data, err := os.ReadFile(w.path)
	if w.tried == nil && errors.Is(err, fs.ErrNotExist) || w.tried != nil && bytes.Equal(data, w.tried) {
		return
	}
	w.tried = append([]byte{}, data...)
	if err := w.read(); err != nil {
		w.log.Error("the changed config file cannot be used; callers keep what they had", "reason", err.Error())
	}
}

func (w *callersWatch) read() error {
	file, err := w.load()
	if err != nil || reflect.DeepEqual(file.Callers(), w.used) {
		return err
	}
	if err := w.remap(file.Callers()); err != nil {
		return err
	}
	w.used = file.Callers()
	w.log.Info("the section callers of the config file was read anew")
	return nil
}

// watchCallers looks at the config file until the returned function is called.
func (f *Factory) watchCallers(ctx context.Context, verifier *auth.Authenticator) (stop func()) {
	if verifier == nil {
		return func() {}
	}
	watch := &callersWatch{path: f.config.path, load: f.config.read, remap: verifier.Remap, log: f.Log, used: f.file.Callers()}
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
