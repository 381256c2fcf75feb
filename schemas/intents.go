package schemas

// intentsOf returns what people say when they mean the tool, by language.
func intentsOf(tool string) []Intent {
	var out []Intent
	for _, spoken := range []struct {
		language string
		says     map[string][]string
	}{
		{"en", intentsEnglish()}, {"de", intentsGerman()}, {"fr", intentsFrench()},
		{"es", intentsSpanish()}, {"pt", intentsPortuguese()}, {"it", intentsItalian()},
		{"nl", intentsDutch()}, {"pl", intentsPolish()}, {"ja", intentsJapanese()},
		{"zh", intentsChinese()}, {"ko", intentsKorean()},
	} {
		if says := spoken.says[tool]; len(says) > 0 {
			out = append(out, Intent{Language: spoken.language, Says: says})
		}
	}
	return out
}
