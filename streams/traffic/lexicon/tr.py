"""Turkish word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = ekşi maya | banyodaki küf | damlayan musluk | balkon bahçesi | mercimek çorbası
    | kediyle taşınma | ev arkadaşlığı | çaydanlık kireci
topic1 = bahar alerjisi | gece vardiyasından sonra uyku | burkulan bilek | on kilometre koşusu
    | boyun ağrısı | kan tahlili | bebek aşıları | fizik tedavi
topic2 = gece treni | yağmurlu bir hafta sonu | yayla yürüyüşü | kayıp bavul
    | göl kenarında kamp | köpekle yolculuk | saat farkı | seyahat sigortası
topic3 = gelir vergisi | konut kredisi | unutulan abonelik | lamba iadesi | elektrik faturası
    | aile bütçesi | gümrük | ikinci el bilgisayar
topic4 = sera etkisi | volkanik cam | süper iletkenlik | turna göçü | ay tutulması
    | asitli toprak | yarı ömür | liken
topic5 = kararsız bir test | bellek sızıntısı | saat dilimi hatası | git çakışması | yavaş sorgu
    | bozuk CSV dosyası | Docker imajı | düzenli ifadeler
topic6 = Hansa Birliği | sone | uzun bölme | matbaa | satranç açılışları | kurt masalları
    | yazım kuralları | İpek Yolu
topic7 = ihbar süresi | toplantı tutanağı | iş görüşmesi | depozito | doğum izni
    | tedarik sözleşmesi | uzaktan çalışma | çeyrek raporu
opener = Merhaba, | Selam | İyi günler, | Kısa bir soru: | Yine ben. | Şey,
situation = Evde tek konu {topic}. | Kardeşim sürekli soruyor: {topic}. | {number} dakikam var.
    | {city} şehrinde yaşıyoruz. | Ev sahibi "{topic} senin işin" diyor.
    | Kılavuzdan bir şey anlamadım. | {name} bunun kolay olduğunu söylüyor: {topic}.
    | {weekday} günü teslim etmem lazım. | Konu: {topic}.
ask = {topic!} ters giderse ne yapayım? | {topic!} aşağı yukarı kaç lira?
    | {topic!} neden bu kadar uzun sürüyor? | Kısa bir yazı yaz, konu: {topic}.
    | Hangisi daha önemli, {topic} mi {topic_b} mi? | Üç fikir ver: {topic}.
    | {topic!} nedir, anlatır mısın? | Kontrol listesi hazırla: {topic}.
    | Karşılaştır: {topic} ve {topic_b}. | Daha kibar söyle: {s}
    | {number} liraya değer mi: {topic}?
constraint = Kısa olsun. | Terim kullanma. | {number} madde halinde. | Okuyan: {audience}.
    | Örnek ver.
closer = Teşekkürler! | Şimdiden sağ ol | Saygılar, {name} | Ne dersin?
audience = anneannem | veliler | yeni iş arkadaşları | komşular | çocuklar | yönetim
weekday = pazartesi | salı | çarşamba | perşembe | cuma | cumartesi
month = ocak | mart | nisan | mayıs | temmuz | ağustos | ekim | kasım
followup = daha kısa | Peki {topic}? | Emin misin? | Tabloya koy.
    | Sağ ol, şimdi e-posta olarak. | Neden? | {ask} | Hayır, başka bir şey diyorum: {topic}.
    | Örnek? | {city} için de geçerli mi? | İkinci maddeyi anlamadım.
q = {topic!} ne demek? | {topic!} ne zamandan beri var?
    | {topic!} ile {topic_b} arasında nasıl bir ilişki var? | {topic!} neye bağlı?
    | {topic!} neden sık sık başarısız olur? | {topic!} yılda kaç lira tutar?
    | {topic!} işe yarıyor mu, nasıl ölçülür?
    | {topic!} hakkında bilinmesi gereken {number} şey nedir?
ins = Bir rehber yaz. Konu: {topic}. | {number} yaygın hata say: {topic}.
    | Cevabı "{topic}" olan bir bilmece uydur. | Karşılaştır: {topic}; {topic_b}.
    | Özetle: {s} {s} | Cümleyi düzelt: {s} | Şiir yaz: {topic}.
    | {number} günlük plan yap: {topic}. | Duyuru yaz ({audience}): {topic}.
s = {topic!} {year} yılında kimsenin umurunda değildi. | {city} şehrinde bu {number} lira.
    | {name} her şeyi not etti. | {number} gün sonra {topic} unutuldu.
    | {topic!} ile {topic_b} sık karıştırılır. | Raporda {number} olay var.
    | {company} {month} ayında teslim ediyor. | Sabır olmadan {topic} yürümez.
    | Eski kural {year} yılından beri geçersiz. | {weekday!} günü salon doluydu.
    | {topic!} zaman ister.
title = {topic!}: kısa rehber | {number} soru: {name} | {topic!} ve {topic_b}
rv_open = {month!} ayında aldım. | İkinci ürünüm. | Babama hediye. | Dürüst yorum:
rv_mid = {number} haftada bozuldu. | {number} günde geldi. | Kılavuz kötü. | Plastik kokuyor.
    | Pil {number} saat gidiyor. | Renk fotoğraftaki gibi değil. | Destek nazikti.
rv_end = Tavsiye ederim. | Bir daha asla. | Üç yıldız. | Fiyatına göre iyi. | İade ettim.
tk_open = Sipariş {ref}: | Merhaba, | ACİL | Üçüncü mesajım: | Müşteri {ref},
tk_mid = paket gelmedi. | {number} lira iki kez çekildi. | hesaba giremiyorum.
    | kapak çatlak geldi. | adresi değiştirin: {city}. | {month} faturası yok.
tk_end = Lütfen arayın. | {name} | {weekday} gününe kadar cevap bekliyorum. | Fotoğraflar ekte.
    | Teşekkürler.
em_open = Merhaba {name}, | Sayın yetkili, | Herkese merhaba, | Günaydın {name},
em_mid = taslak ekte. | {weekday} saat {small} uygun mu? | {number} adet eksik.
    | gündemde {topic} var. | rakamlar tutmuyor. | {city} toplantı odası ayrıldı.
em_end = Sevgiler, {name} | Görüşürüz, {name} | Saygılarımla, {name}
a = Kısacası duruma bağlı. | Önce kontrol edin, sonra karar verin. | {number} lira ayırın.
    | Sıra önemlidir. | {topic!} nadiren acildir. | Sık hata: sonda kontrol etmemek.
    | Her değişikliği not edin. | {city} örneği bunu gösteriyor. | Sonra {number} gün bekleyin.
    | Buna karşılık {topic_b} daha kolay.
name = Elif Kaya | Murat Şahin | Zeynep Arslan | Can Öztürk | Derya Koç | Emre Aksoy
    | Naz Yılmaz
city = İzmir | Bursa | Van | Konya | Rize | Mersin | Sivas | Edirne
"""
