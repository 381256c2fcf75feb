package usage

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
)

const (
	tenantA = "aaaaaaaa-0000-4000-8000-000000000001"
	tenantB = "bbbbbbbb-0000-4000-8000-000000000001"
	subA    = "11111111-0000-4000-8000-000000000001"
	subB    = "22222222-0000-4000-8000-000000000001"
)

const dailyHeader = "PartnerId,PartnerName,CustomerId,CustomerName,CustomerDomainName,CustomerCountry,MpnId,Tier2MpnId,InvoiceNumber,ProductId,SkuId,AvailabilityId,SkuName,ProductName,PublisherName,PublisherId,SubscriptionDescription,SubscriptionId,ChargeStartDate,ChargeEndDate,UsageDate,MeterType,MeterCategory,MeterId,MeterSubCategory,MeterName,MeterRegion,Unit,ResourceLocation,ConsumedService,ResourceGroup,ResourceURI,ChargeType,UnitPrice,Quantity,UnitType,BillingPreTaxTotal,BillingCurrency,PricingPreTaxTotal,PricingCurrency,ServiceInfo1,ServiceInfo2,Tags,AdditionalInfo,EffectiveUnitPrice,PCToBCExchangeRate,PCToBCExchangeRateDate,EntitlementId,EntitlementDescription,PartnerEarnedCreditPercentage,CreditPercentage,CreditType,BenefitOrderId,BenefitId,BenefitType\n"

// daily is a line of Partner Center's daily rated usage.
func daily(tenant, subscription, cost, currency, percent string) string {
	return fmt.Sprintf("p,Partner,%s,Contoso GmbH,contoso.example,DE,1234567,,G0001,DZH318Z0BPS6,0001,DZH,Standard,Azure plan,Microsoft,,Azure plan,99999999-0000-4000-8000-000000000001,11/1/2026,11/30/2026,11/3/2026,1 Hour,Virtual Machines,m1,Dv3,D2 v3,EU West,1 Hour,westeurope,Microsoft.Compute,app,"+
		"/subscriptions/%s/resourceGroups/app/providers/Microsoft.Compute/virtualMachines/vm1,new,0.096,24,1 Hour,%s,%s,%s,USD,,,\"{\"\"a\"\":\"\"b\"\"}\",,0.0816,1,11/1/2026,%s,Production,%s,,,,,\n",
		tenant, subscription, cost, currency, cost, subscription, percent)
}

func read(t testing.TB, text string) (File, error) {
	t.Helper()
	return Read(t.Context(), strings.NewReader(text))
}

// words is a file in short.
func words(f File) string {
	var list []string
	for _, s := range f.Subscriptions {
		list = append(list, fmt.Sprintf("%s %s %s without %s excluded %s", s.SubscriptionID[:1], s.Currency, s.WithCredit, s.WithoutCredit, s.Excluded))
	}
	return strings.Join(list, "; ")
}

func TestUsageIsSummedBySubscriptionAndCurrency(t *testing.T) {
	t.Parallel()
	const cost = "CustomerTenantId,CustomerName,SubscriptionId,SubscriptionName,PublisherType,PricingModel,ChargeType,CostInBillingCurrency,BillingCurrencyCode,PartnerEarnedCreditApplied\n"
	for name, c := range map[string]struct{ file, want string }{
		"daily rated usage": {dailyHeader + daily(tenantA, subA, "10.10", "EUR", "15") + daily(tenantA, subA, "0.205", "EUR", "0") + daily(tenantB, subB, "-1.5", "USD", "0"),
			"1 EUR 10.10 without 0.20 excluded 0.00; 2 USD 0.00 without -1.50 excluded 0.00"},
		"two currencies":                {dailyHeader + daily(tenantA, subA, "1", "EUR", "15") + daily(tenantA, subA, "2", "USD", "15"), "1 EUR 1.00 without 0.00 excluded 0.00; 1 USD 2.00 without 0.00 excluded 0.00"},
		"IDs in two cases":              {dailyHeader + daily(tenantA, subA, "1", "EUR", "15") + daily(strings.ToUpper(tenantA), subA, "2", "eur", "15"), "1 EUR 3.00 without 0.00 excluded 0.00"},
		"no subscription":               {dailyHeader + daily(tenantA, "", "1", "EUR", ""), ""},
		"exponents":                     {dailyHeader + daily(tenantA, subA, "1.5E-03", "EUR", "15") + daily(tenantA, subA, "0.0085", "EUR", "15"), "1 EUR 0.01 without 0.00 excluded 0.00"},
		"cost management":               {cost + tenantA + ",C,/subscriptions/" + subA + ",P,Azure,OnDemand,Usage,5,EUR,True\n" + tenantA + ",C," + subA + ",P,Azure,OnDemand,Usage,3,EUR,False\n", "1 EUR 5.00 without 3.00 excluded 0.00"},
		"never with credit":             {cost + tenantA + ",C," + subA + ",P,Marketplace,,Usage,5,EUR,False\n" + tenantA + ",C," + subA + ",P,Azure,Spot,Usage,3,EUR,False\n" + tenantA + ",C," + subA + ",P,Azure,Reservation,Purchase,2,EUR,False\n", "1 EUR 0.00 without 0.00 excluded 10.00"},
		"semicolons and decimal commas": {strings.ReplaceAll(cost, ",", ";") + tenantA + ";C;" + subA + ";P;Azure;;Usage;1234,56;EUR;0\n", "1 EUR 0.00 without 1234.56 excluded 0.00"},
		"UTF-16":                        {utf16LE(cost + tenantA + ",C," + subA + ",P,Azure,,Usage,7,EUR,1\n"), "1 EUR 7.00 without 0.00 excluded 0.00"},
		"spaces in the header":          {"Customer Tenant Id,Subscription Guid,Cost,Currency,Partner Earned Credit Applied\n" + tenantA + "," + subA + ",1,EUR,no\n", "1 EUR 0.00 without 1.00 excluded 0.00"},
	} {
		got, err := read(t, c.file)
		if err != nil || words(got) != c.want {
			t.Errorf("%s: %q, %v\nwant %q", name, words(got), err, c.want)
		}
	}
}

func utf16LE(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, r := range text {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

func TestUnreconcilableFilesNameTheReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, says string }{
		"empty":            {"", "empty"},
		"another export":   {"Name,Id\na,b\n", "no column CustomerId"},
		"without credit":   {"CustomerId,EntitlementId,BillingPreTaxTotal,BillingCurrency\n", "no column PartnerEarnedCreditPercentage"},
		"odd cost":         {dailyHeader + daily(tenantA, subA, "ten", "EUR", "15"), `line 2: the cost "ten" is not an amount`},
		"hexadecimal":      {dailyHeader + daily(tenantA, subA, "0x10", "EUR", "15"), "not an amount"},
		"not a number":     {dailyHeader + daily(tenantA, subA, "NaN", "EUR", "15"), "not an amount"},
		"odd credit":       {dailyHeader + daily(tenantA, subA, "1", "EUR", "some"), "PartnerEarnedCreditPercentage is \"some\""},
		"customer no GUID": {dailyHeader + daily("contoso", subA, "1", "EUR", "0"), "not a tenant ID"},
		"Excel":            {"PK\x03\x04", "Excel workbook"},
		"short line":       {dailyHeader + "a,b\n", "line 2 has 2 cells"},
	} {
		if _, err := read(t, c.file); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q in it", name, err, c.says)
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, io.MultiReader(strings.NewReader(dailyHeader), &lines{left: 1 << 20})); err == nil {
		t.Error("a file is read for nobody")
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Amount{
		"0": 0, "1": unit, "-1": -unit, "0.00000001": 1, "0.000000005": 1, "0.000000004": 0, ".5": unit / 2, "5.": 5 * unit, "1e2": 100 * unit, "1.5E-03": 150_000,
		"123456789.12345678": 12345678912345678, "00012.50": 1250000000,
	} {
		if got, err := parseAmount(text, false); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", ".", "1,5", "1.2.3", "--1", "+-1", "1e99", "Inf", "0x1p-2", "1_000", "1 000"} {
		if got, err := parseAmount(text, false); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(dailyHeader + daily(tenantA, subA, "1.5", "EUR", "15"))
	f.Add("CustomerId;EntitlementId;Cost;Currency;PartnerEarnedCreditApplied\n" + tenantA + ";" + subA + ";1,5;EUR;True\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := read(t, text)
		if err != nil {
			return
		}
		for _, row := range Reconcile(file, nil) {
			if row.Action != NotManaged || row.What == "" {
				t.Fatalf("%+v", row)
			}
		}
	})
}

// lines writes lines of daily rated usage, for a hundred customers in turn.
type lines struct {
	left  int
	rest  []byte
	block []byte
}

func (l *lines) Read(p []byte) (int, error) {
	if l.block == nil {
		for i := range 1000 {
			l.block = append(l.block, daily(fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i/10), fmt.Sprintf("11111111-0000-4000-8000-%012d", i/10), "12.345678901234", "EUR", "15")...)
		}
	}
	if len(l.rest) == 0 {
		if l.left <= 0 {
			return 0, io.EOF
		}
		l.left -= 1000
		l.rest = l.block
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func TestReadUsesConstantMemory(t *testing.T) {
	testkit.SkipShort(t, testkit.Load)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	file, err := Read(t.Context(), io.MultiReader(strings.NewReader(dailyHeader), &lines{left: 200_000}))
	if err != nil || file.Lines != 200_000 || len(file.Subscriptions) != 100 {
		t.Fatal(file.Lines, len(file.Subscriptions), err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes are kept of 200 000 lines", grown)
	}
	runtime.KeepAlive(file)
}

func BenchmarkRead(b *testing.B) {
	const count = 100_000
	for b.Loop() {
		began := time.Now()
		if _, err := Read(b.Context(), io.MultiReader(strings.NewReader(dailyHeader), &lines{left: count})); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(count/time.Since(began).Seconds(), "lines/s")
	}
}
