package naming

import "strings"

// lookalikes are letters, digits and signs of other scripts, folded, by the Latin
// letter that they look like in one of their cases.
var lookalikes = map[string]string{
	"a": "аαɑᴀⲁꓮꭺ", "b": "вβʙᴃⲃꓐᏼꮟ", "c": "сᴄⲥꓚꮯ", "d": "ԁᴅꓓꭰ", "e": "еёεᴇⲉꓰꭼ", "f": "ƒꜰꓝ", "g": "ցɡɢꓖꮐ", "h": "һнηհʜⲏꓧꮋ",
	"i": "іїιıɩɪⲓꓲꭵ", "j": "јᴊꓙꭻ", "k": "кκᴋⲕꓗꮶ", "l": "ӏʟꓡꮮⵏ", "m": "мμᴍⲙꓟꮇ", "n": "ոɴⲛꓠ",
	"o": "оοσօɵᴏⲟꓳⵔჿഠဝ०০੦૦୦௦౦೦൦๐໐၀០", "p": "рρᴘⲣꓑꮲ", "q": "ԛ", "r": "ʀꓣꭱꮢ", "s": "ѕꜱꓢꮪꮥ", "t": "тτᴛⲧꓔꭲꮤ", "u": "սᴜꓴ",
	"v": "νѵʋᴠꓦꮩ", "w": "ԝωᴡꓪꮃ", "x": "хχⲭꓫⵝ", "y": "υуүყʏⲩꓬꭹ", "z": "ζᴢⲍꓜꮓ",
}

// twins writes lookalikes as the letters that they look like.
var twins = func() *strings.Replacer {
	var pairs []string
	for latin, alike := range lookalikes {
		for _, letter := range alike {
			pairs = append(pairs, Fold(string(letter)), latin)
		}
	}
	return strings.NewReplacer(pairs...)
}()

// Look maps a name to what a person reads: two names of one look are twins.
func Look(name string) string {
	if isASCII(name) {
		return Fold(name)
	}
	return twins.Replace(Fold(strings.NewReplacer("ϲ", "c", "Ϲ", "c").Replace(name))) // which fold to σ
}
