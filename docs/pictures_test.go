package docs_test

import (
	"bytes"
	"image/png"
	"os"
	"testing"
)

// The lane `console` makes them with PICTURES=docs/img: a page changes with the code, and
// its picture with the next release.
func TestReadmePicturesAreOfAWidePage(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("img")
	if err != nil || len(files) != 2 {
		t.Fatalf("%d pictures, %v; want 2", len(files), err)
	}
	for _, file := range files {
		name := "img/" + file.Name()
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		about, err := png.DecodeConfig(bytes.NewReader(raw))
		if err != nil || about.Width != 1280 || len(raw) > 150_000 {
			t.Errorf("%s: %v, %d px wide, %d bytes; want a PNG of 1280 px in 150 kB", name, err, about.Width, len(raw))
		}
		if !bytes.Contains(readme, []byte("(docs/"+name+")")) {
			t.Errorf("README does not show %s", name)
		}
	}
}
