package docs_test

import (
	"bytes"
	"image/png"
	"os"
	"testing"
)

// The lanes `console` and `views` make them with PICTURES=docs/img: a page changes with the
// code, and its picture with the next release.
func TestPicturesAreOfAWidePageAndShown(t *testing.T) {
	t.Parallel()
	tour, err := os.ReadFile("tour.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("img")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d pictures, %v; want 4", len(files), err)
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
		if !bytes.Contains(tour, []byte("("+name+")")) {
			t.Errorf("the tour does not show %s", name)
		}
	}
}
