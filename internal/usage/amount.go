package usage

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Amount is money in hundred-millionths of its currency: sums are exact, in
// whatever order lines come.
type Amount int64

const (
	unit   = 100_000_000
	digits = 8
)

var errAmount = errors.New("not an amount such as 12.34")

// parseAmount reads a decimal number. Digits behind the eighth are rounded.
// comma is whether a comma may be the decimal sign.
func parseAmount(text string, comma bool) (Amount, error) {
	if whole, ok := plainAmount(text); ok {
		return whole, nil
	}
	if comma && strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
		if whole, ok := plainAmount(text); ok {
			return whole, nil
		}
	}
	if strings.ContainsAny(text, "xX_pPnN") { // what Go reads and no invoice writes
		return 0, errAmount
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > 9e10 {
		return 0, errAmount
	}
	return Amount(math.Round(f * unit)), nil
}

// plainAmount reads digits with at most one point and a sign, without exponent.
func plainAmount(text string) (Amount, bool) {
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(text, "-")
	if text == "" || text == "." {
		return 0, false
	}
	var value int64
	behind := -1 // digits behind the point; -1 before it
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '.' && behind < 0:
			behind = 0
			continue
		case c < '0' || c > '9':
			return 0, false
		case behind == digits:
			if c >= '5' {
				value++
			}
			if strings.Trim(text[i+1:], "0123456789") != "" {
				return 0, false
			}
			return signed(value, negative), true
		}
		if value > 9e17 {
			return 0, false
		}
		value = value*10 + int64(c-'0')
		if behind >= 0 {
			behind++
		}
	}
	for range digits - max(behind, 0) {
		if value > 9e17 {
			return 0, false
		}
		value *= 10
	}
	return signed(value, negative), true
}

func signed(value int64, negative bool) Amount {
	if negative {
		return Amount(-value)
	}
	return Amount(value)
}

// add adds two amounts, and stays at the largest where their sum is larger.
func (a Amount) add(b Amount) Amount {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum > 0:
		return math.MinInt64
	}
	return sum
}

// String writes an amount with two digits behind the point.
func (a Amount) String() string {
	return strconv.FormatFloat(float64(a)/unit, 'f', 2, 64)
}
